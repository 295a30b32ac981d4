"""A member that has used its retries up fails its branch with that message."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import ParallelGroupError


@task(max_retries=2)
def a():
    raise ValueError("again")


@task
def b():
    return "b"


with workflow("w") as wf:
    a | b
    try:
        wf.execute()
    except ParallelGroupError as error:
        print(error.failed_tasks)
