"""The control calls of the execution context are those of the running task, and its flags say so."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def jump(ctx):
        run = ctx.execution_context
        run.next_task(ctx.graph.get_node("loop"), goto=True)
        print(run.goto_called, run.terminate_called)

    @task
    def skipped():
        print("never")

    @task(inject_context=True)
    def loop(ctx, data=None):
        print("loop", data)
        if ctx.cycle_count < 2:
            ctx.execution_context.next_iteration("again")
        else:
            ctx.execution_context.terminate_workflow("enough")
            print(ctx.execution_context.terminate_called, ctx.execution_context.ctrl_message)

    @task
    def after():
        print("never")

    jump >> skipped
    loop >> after
    wf.execute("jump")
