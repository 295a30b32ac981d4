"""local_data belongs to one attempt of one task."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def loop(ctx):
        print(ctx.get_local_data("x"), ctx.get_local_data("x", 5), ctx.local_data)
        ctx.set_local_data("x", 1)
        print(ctx.get_local_data("x"), ctx.local_data)
        if ctx.cycle_count < 2:
            ctx.next_iteration()

    wf.execute()
