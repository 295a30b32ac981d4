"""A chain of three hundred tasks and a wide fan-out."""

from graflow.core.decorators import task
from graflow.core.task import chain
from graflow.core.workflow import workflow


@task
def step(n):
    return n


with workflow("long") as wf:
    chain(*(step(task_id=f"s{i}", n=i) for i in range(300)))
    result, ctx = wf.execute(start_node="s0", ret_context=True)
    print(result, ctx.steps, ctx.completed_tasks == [f"s{i}" for i in range(300)])
with workflow("wide") as wf:
    root = step(task_id="root", n=0)
    for i in range(200):
        root >> step(task_id=f"w{i}", n=i)
    result, ctx = wf.execute(start_node="root", ret_context=True)
    print(result, ctx.steps, ctx.completed_tasks[:4], ctx.completed_tasks[-1])
