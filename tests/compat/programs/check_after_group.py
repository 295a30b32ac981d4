"""A checkpoint after a group keeps the members' results."""

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def a():
    return 2


@task
def b():
    return 3


@task(inject_context=True)
def c(ctx, a, b):
    ctx.checkpoint(path="point")
    return a + b


@task
def d(a, b, c):
    return a, b, c


with workflow("w") as wf:
    (a | b) >> c >> d
    print(wf.execute())
context, _ = CheckpointManager.resume_from_checkpoint("point.pkl")
print(context.completed_tasks, sorted(context.get_channel().keys()))
print(context.execute())
