"""Tasks enqueued at run time are pending in the checkpoint and run when resumed."""

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        for name in ("x", "y"):
            ctx.next_task(TaskWrapper(name, lambda n=name: print(n), register_to_context=False))
        ctx.checkpoint(path="point")

    a >> task("b")(lambda: print("b"))
wf.execute()
context, _ = CheckpointManager.resume_from_checkpoint("point.pkl")
context.execute()
print(context.completed_tasks)
