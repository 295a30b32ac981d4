"""cycle_count, max_cycles, retry_count and max_retries of a task that does nothing special."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        return ctx.cycle_count, ctx.max_cycles, ctx.retry_count, ctx.max_retries, ctx.can_iterate()

    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.cycle_controller.cycle_counts, ctx.retry_controller.retry_counts)
