"""terminate_workflow: this task completes, nothing further starts, execute() returns normally."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.terminate_workflow("enough")
        print("still here")
        return "A"

    @task
    def b():
        print("b")

    a >> b
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.completed_tasks, ctx.steps, ctx.get_result("a"), ctx.get_result("b"))
