"""Each execute() has a context and channel of its own."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def count(ctx):
        channel = ctx.get_channel()
        channel.set("n", channel.get("n", 0) + 1)
        return channel.get("n")

    contexts = [wf.execute(ret_context=True) for _ in range(3)]
    print([result for result, _ in contexts], len({c.session_id for _, c in contexts}))
