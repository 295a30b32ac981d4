"""initial_channel fills the channel before the start."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        return sorted(ctx.get_channel().keys()), ctx.get_channel().get("x")

    print(wf.execute(initial_channel={"x": [1], "y": None}))
    print(wf.execute())
