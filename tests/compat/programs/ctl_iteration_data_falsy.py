"""Data that is false but not None is given too; None means no argument."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def loop(ctx, data="default"):
        print(ctx.cycle_count, repr(data))
        if ctx.cycle_count < 5:
            ctx.next_iteration([0, "", [], None][ctx.cycle_count - 1])

    wf.execute()
