"""next_task in a member: the new task runs in the branch, before the group's successor."""

from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow


@task(inject_context=True)
def a(ctx):
    ctx.next_task(TaskWrapper("extra", lambda: "extra", register_to_context=False))


@task
def b():
    return "b"


@task(inject_context=True)
def e(ctx):
    return ctx.get_result("extra"), ctx.get_result("b")


with workflow("w") as wf:
    (a | b) >> e
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.completed_tasks, ctx.steps)
