"""The flags of the execution context say what the running body has asked for."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import GraflowWorkflowCanceledError

with workflow("w") as wf:

    @task(inject_context=True)
    def first(ctx):
        run = ctx.execution_context
        print(run.goto_called, run.terminate_called, run.cancel_called)
        ctx.next_task(ctx.graph.get_node("second"), goto=True)
        print(run.goto_called, run.terminate_called, run.cancel_called)

    @task(inject_context=True)
    def second(ctx):
        run = ctx.execution_context
        print(run.goto_called, run.terminate_called, run.cancel_called)
        ctx.terminate_workflow("enough")
        print(run.goto_called, run.terminate_called, run.cancel_called)

    @task(inject_context=True)
    def third(ctx):
        ctx.cancel_workflow("no")
        print(ctx.execution_context.cancel_called, ctx.execution_context.terminate_called)

    first >> third
    wf.execute("first")
    try:
        wf.execute("third")
    except GraflowWorkflowCanceledError:
        print("cancelled")
