"""A lock is released when the body raises."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True, max_retries=1)
    def a(ctx):
        with ctx.get_channel().lock("k", timeout=2):
            if ctx.retry_count == 0:
                raise ValueError("first")
            return "second"

    print(wf.execute())
