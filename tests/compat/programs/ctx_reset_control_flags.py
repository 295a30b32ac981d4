"""reset_control_flags() forgets how the workflow was ended; another run that ends so says it again."""

import contextlib

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.graph import TaskGraph
from graflow.exceptions import GraflowWorkflowCanceledError


def flags():
    return context.terminate_called, context.cancel_called, context.goto_called, context.ctrl_message


for how in ("terminate_workflow", "cancel_workflow"):

    @task("ends", inject_context=True)
    def ends(ctx, how=how):
        getattr(ctx, how)("enough")

    graph = TaskGraph()
    graph.add_node(ends, "ends")
    context = ExecutionContext.create(graph, "ends")
    for start in (None, "ends"):
        with contextlib.suppress(GraflowWorkflowCanceledError):
            WorkflowEngine().execute(context, start_task_id=start)
        print(flags())
        context.reset_control_flags()
        print(flags())
