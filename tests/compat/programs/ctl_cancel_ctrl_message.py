"""After a cancellation the context has its message."""

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowWorkflowCanceledError

with workflow("w") as wf:

    @task(inject_context=True)
    def stop(ctx):
        ctx.cancel_workflow("no")

    context = ExecutionContext.create(wf.graph, "stop")
    try:
        WorkflowEngine().execute(context)
    except GraflowWorkflowCanceledError as error:
        print(error.task_id, context.cancel_called, context.ctrl_message, context.completed_tasks)
