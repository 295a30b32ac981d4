"""cancel_workflow: GraflowWorkflowCanceledError; the task is not in completed_tasks; its result is stored."""

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowRuntimeError, GraflowWorkflowCanceledError

with workflow("w") as wf:
    s = task("s")(lambda: 1)

    @task(inject_context=True)
    def a(ctx):
        ctx.cancel_workflow("bad data")
        print("still here")
        return "A"

    b = task("b")(lambda: print("b"))
    s >> a >> b
context = ExecutionContext.create(wf.graph, "s")
try:
    WorkflowEngine().execute(context)
except GraflowWorkflowCanceledError as error:
    print(type(error).__name__, error.task_id, error.args, isinstance(error, GraflowRuntimeError))
print(context.completed_tasks, context.steps, context.get_result("a"), context.get_result("b"))
