"""What a failed member wrote does not reach the parent."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task(inject_context=True)
def a(ctx):
    ctx.get_channel().set("a", 1)


@task(inject_context=True)
def b(ctx):
    ctx.get_channel().set("b", 1)
    raise ValueError("no")


with workflow("w") as wf:
    (a | b).with_execution(policy="best_effort")
    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_channel().get("a"), ctx.get_channel().exists("b"), ctx.get_channel().exists("b.__result__"))
