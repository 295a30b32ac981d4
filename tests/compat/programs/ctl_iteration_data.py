"""next_iteration(data) gives data to the next run as its argument."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def loop(ctx, data=None):
        print(ctx.cycle_count, data)
        if ctx.cycle_count < 4:
            ctx.next_iteration({"n": (data or {"n": 0})["n"] + 1})
        return data

    print(wf.execute())
