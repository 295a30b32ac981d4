"""A body that raises has no directives."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.terminate_workflow("enough")
        raise ValueError("oops")

    try:
        wf.execute()
    except Exception as error:
        print(type(error).__name__, error)
