"""A checkpoint that a task asked for is not written when the task cancels the workflow: it did not complete."""

import os

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.checkpoint(path="point")
        ctx.cancel_workflow("stop")

    a >> task("b")(lambda: 2)
    try:
        wf.execute()
    except Exception as error:
        print(type(error).__name__, os.path.exists("point.pkl"))
