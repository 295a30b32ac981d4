"""Both in one task: cancel wins."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

for order in ("ct", "tc"):
    with workflow("w") as wf:

        @task(inject_context=True)
        def a(ctx):
            for letter in order:
                if letter == "c":
                    ctx.cancel_workflow("cancelled")
                else:
                    ctx.terminate_workflow("terminated")

        try:
            wf.execute()
        except Exception as error:
            print(order, type(error).__name__)
