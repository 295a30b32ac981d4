"""A run that dies is resumed from its last checkpoint."""

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.checkpoint(path="point")
        return 1

    @task(inject_context=True)
    def b(ctx, a):
        if not ctx.get_channel().exists("repaired"):
            raise ValueError("broken")
        return a + 1

    a >> b
    try:
        wf.execute()
    except Exception as error:
        print(error)
context, _ = CheckpointManager.resume_from_checkpoint("point.pkl")
context.get_channel().set("repaired", True)
print(context.execute(), context.completed_tasks)
