"""A checkpoint before a group: the resumed run runs the group."""

from graflow.core.checkpoint import CheckpointManager
from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task(inject_context=True)
def s(ctx):
    ctx.checkpoint(path="point")
    return 1


@task
def a(s):
    return s + 1


@task
def b(s):
    return s + 2


@task
def e(a, b):
    return a * b


with workflow("w") as wf:
    s >> (a | b) >> e
    print(wf.execute())
context, _ = CheckpointManager.resume_from_checkpoint("point.pkl")
print(context.completed_tasks)
print(context.execute(), context.completed_tasks)
