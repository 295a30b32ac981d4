"""Iterations inherit the retries of their task."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True, max_retries=1)
    def loop(ctx):
        tries = ctx.get_channel().atomic_add("tries")
        print("run", tries, ctx.cycle_count)
        if tries == 3:
            raise ValueError("third")
        if ctx.cycle_count < 3:
            ctx.next_iteration()

    result, ctx = wf.execute(ret_context=True)
    print(ctx.steps, ctx.cycle_controller.cycle_counts)
