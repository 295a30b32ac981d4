"""An immediate checkpoint resumes with the task that made it."""

import os

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a = task("a")(lambda: 1)

    @task(inject_context=True)
    def b(ctx):
        channel = ctx.get_channel()
        resumed = channel.exists("been_here")
        print("b", resumed)
        if not resumed:
            channel.set("been_here", True)
            path, metadata = ctx.checkpoint(path="point", deferred=False)
            print(
                os.path.basename(path),
                metadata.user_metadata["mode"],
                metadata.user_metadata["task_id"],
                metadata.steps,
            )
        return 2

    c = task("c")(lambda b: b + 1)
    a >> b >> c
    print(wf.execute())

context, metadata = CheckpointManager.resume_from_checkpoint("point")
print(context.completed_tasks, context.steps)
print(context.execute(), context.completed_tasks, context.steps)
