"""Hooks around terminate, cancel and max_steps."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer


class Log(NoopTracer):
    def on_workflow_end(self, workflow_name, context, result=None):
        print("workflow end", result, context.steps)

    def on_task_end(self, task, context, result=None, error=None):
        print("end", task.task_id, error)


for how in ("terminate", "cancel", "max_steps"):
    with workflow("w", tracer=Log()) as wf:

        @task(inject_context=True)
        def a(ctx):
            if how == "terminate":
                ctx.terminate_workflow("t")
            elif how == "cancel":
                ctx.cancel_workflow("c")
            return "A"

        a >> task("b")(lambda: "B")
        try:
            wf.execute(max_steps=1)
        except Exception as error:
            print(type(error).__name__)
