"""Keys are listed in the order in which they came; results come when their task completes."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.get_channel().set("x", 1)

    @task(inject_context=True)
    def b(ctx):
        ctx.get_channel().set("y", 1)
        ctx.get_channel().set("x", 2)

    a >> b
    _, ctx = wf.execute(ret_context=True, initial_channel={"z": 0})
    print(ctx.get_channel().keys())
