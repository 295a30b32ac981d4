"""A retried task goes to the end of the queue."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    s = task("s")(lambda: None)

    @task(inject_context=True, max_retries=1)
    def a(ctx):
        print("a", ctx.retry_count)
        if ctx.retry_count == 0:
            raise ValueError("again")

    b, c = task("b")(lambda: print("b")), task("c")(lambda: print("c"))
    s >> a
    s >> b >> c
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks)
