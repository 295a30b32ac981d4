"""A deferred checkpoint is written even when the task terminates the workflow; nothing is pending then."""

import os

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.checkpoint(path="point")
        ctx.terminate_workflow("enough")
        return 1

    a >> task("b")(lambda: 2)
    print(wf.execute(), os.path.exists("point.pkl"))
context, _ = CheckpointManager.resume_from_checkpoint("point.pkl")
print(context.completed_tasks, context.execute())
