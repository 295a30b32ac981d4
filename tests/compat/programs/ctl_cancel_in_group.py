"""cancel_workflow in a member raises GraflowWorkflowCanceledError from execute().

differs: in graflow it fails the member, and the group raises ParallelGroupError.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task(inject_context=True)
def a(ctx):
    ctx.cancel_workflow("stop it")


@task
def b():
    return "b"


with workflow("w") as wf:
    a | b
    try:
        wf.execute()
    except Exception as error:
        print(type(error).__name__, getattr(error, "task_id", None))
