"""A failed attempt's terminate is forgotten; the attempt that succeeds decides."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True, max_retries=1)
    def a(ctx):
        if ctx.retry_count == 0:
            ctx.terminate_workflow("no")
            raise ValueError("again")
        return "a"

    a >> task("b")(lambda: "b")
    print(wf.execute())
