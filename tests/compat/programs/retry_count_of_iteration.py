"""An iteration counts its own retries, from 0, and `ctx.retry_count` says how many.

differs: graflow tells each iteration the count of the first one, whatever happened to it.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True, max_retries=1)
    def flaky(ctx, n=0):
        print("iteration", n, "retries", ctx.retry_count)
        if n != 2 and ctx.get_channel().atomic_add(f"attempts of {n}") == 1:
            raise ValueError("the first attempt")
        if n < 2:
            ctx.next_iteration(n + 1)

    wf.execute()
