"""A member retries inside its branch; the others do not notice."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task(inject_context=True, max_retries=2)
def a(ctx):
    if ctx.retry_count < 2:
        raise ValueError("again")
    return ctx.retry_count


@task
def b():
    return "b"


with workflow("w") as wf:
    a | b
    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_result("a"), ctx.get_result("b"), ctx.steps)
