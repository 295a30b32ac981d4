"""lock: a context manager, re-entrant, for read-modify-write."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        channel = ctx.get_channel()
        with channel.lock("k"):
            channel.set("k", channel.get("k", 0) + 1)
            with channel.lock("k", timeout=0.5):
                channel.set("k", channel.get("k") + 1)
        with channel.lock("k", timeout=1.0) as value:
            print(value)
        return channel.get("k")

    print(wf.execute())
