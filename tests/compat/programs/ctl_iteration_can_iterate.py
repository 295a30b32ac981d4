"""can_iterate() says whether another next_iteration is allowed."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True, max_cycles=4)
    def loop(ctx):
        print(ctx.cycle_count, ctx.max_cycles, ctx.can_iterate())
        if ctx.can_iterate():
            ctx.next_iteration()

    wf.execute()
