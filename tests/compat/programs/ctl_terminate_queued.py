"""terminate_workflow also drops what is already queued."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    s = task("s")(lambda: None)

    @task(inject_context=True)
    def a(ctx):
        ctx.terminate_workflow("enough")

    b = task("b")(lambda: print("b"))
    s >> a
    s >> b
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks)
