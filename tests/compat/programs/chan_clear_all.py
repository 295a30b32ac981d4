"""clear() leaves nothing, not even what lock or atomic_add touched."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def first(ctx):
        channel = ctx.get_channel()
        channel.append("list", 1)
        channel.atomic_add("n", 3)
        with channel.lock("k"):
            channel.set("z", 1)
        channel.clear()
        print(list(channel.keys()), channel.get("n"), channel.exists("list"))
        channel.set("list", [5])

    @task(inject_context=True)
    def second(ctx):
        print(sorted(ctx.get_channel().keys()), ctx.get_channel().get("list"))

    first >> second
    wf.execute()
