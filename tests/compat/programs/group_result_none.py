"""A group's own result is None, stored under its name; execute() of a workflow that ends with a group returns None."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def a():
    return "a"


@task
def b():
    return "b"


with workflow("w") as wf:
    (a | b).set_group_name("both")
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.get_result("both", "nothing"), ctx.get_result("a"), ctx.get_result("b"))
    print(sorted(ctx.get_channel().keys()))
    print(ctx.completed_tasks)
