"""best_effort goes on; the failed member has no result in the parent."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def a():
    return "a"


@task
def b():
    raise ValueError("no")


@task(inject_context=True)
def e(ctx):
    return ctx.get_result("a"), ctx.get_result("b", "none"), ctx.get_channel().exists("b.__result__")


with workflow("w") as wf:
    (a | b).with_execution(policy="best_effort") >> e
    print(wf.execute())
