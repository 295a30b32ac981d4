"""ctx.get_result: of earlier tasks, of ones that have not run, with a default."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def a():
        return None

    @task(inject_context=True)
    def b(ctx):
        return ctx.get_result("a", "default"), ctx.get_result("c"), ctx.get_result("c", "default"), ctx.get_result("b")

    @task(inject_context=True)
    def c(ctx):
        return ctx.get_result("b"), ctx.get_channel().get("b.__result__") == ctx.get_result("b")

    a >> b >> c
    print(wf.execute())
