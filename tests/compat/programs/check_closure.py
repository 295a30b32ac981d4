"""Closures and lambdas survive a checkpoint."""

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow


def build(factor):
    with workflow("w") as wf:

        @task(inject_context=True)
        def a(ctx):
            ctx.checkpoint(path="point")
            return factor

        b = task("b")(lambda a: a * factor)
        a >> b
    return wf


print(build(7).execute())
context, _ = CheckpointManager.resume_from_checkpoint("point.pkl")
print(context.execute())
