"""A failing member fails the group: ParallelGroupError, unwrapped, with the members' messages, when all have ended."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import ParallelGroupError


@task
def a():
    return "a"


@task
def b():
    raise ValueError("b is broken")


@task
def c():
    raise KeyError("c")


with workflow("w") as wf:
    (a | b | c).set_group_name("g")
    try:
        wf.execute()
    except ParallelGroupError as error:
        print(type(error).__name__, error)
        print(error.group_id, error.failed_tasks, error.successful_tasks)
        print(error.cause)
