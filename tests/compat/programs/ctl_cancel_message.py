"""str() of a cancellation is the message.

differs: graflow puts "Workflow canceled by task ...:" in front; the documentation's example prints that itself.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.cancel_workflow("bad data")

    try:
        wf.execute()
    except Exception as error:
        print(f"Workflow canceled: {error}")
