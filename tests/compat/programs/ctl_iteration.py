"""next_iteration runs the task again; cycle_count is 1-based; ids are <task>_cycle_<n>_<hex>."""

import re

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def loop(ctx):
        print(re.sub("[0-9a-f]{8}$", "HEX", ctx.task_id), ctx.cycle_count, ctx.max_cycles, ctx.can_iterate())
        if ctx.cycle_count < 3:
            print("next:", re.sub("[0-9a-f]{8}$", "HEX", ctx.next_iteration()))
        return ctx.cycle_count

    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.steps, ctx.cycle_controller.cycle_counts)
    print([re.sub("[0-9a-f]{8}$", "HEX", t) for t in ctx.completed_tasks])
