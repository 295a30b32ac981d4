"""Iterations keep the bound parameters."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task(inject_context=True)
def loop(ctx, step):
    total = ctx.get_channel().atomic_add("total", step)
    if total < 10:
        ctx.next_iteration()
    return total


with workflow("w") as wf:
    loop(task_id="threes", step=3)
    print(wf.execute(start_node="threes"))
