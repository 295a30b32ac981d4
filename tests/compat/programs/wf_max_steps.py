"""max_steps stops the run there; the result is that of the last task that ran."""

from graflow.core.decorators import task
from graflow.core.task import chain
from graflow.core.workflow import workflow

with workflow("w") as wf:
    tasks = [task(f"t{i}")(lambda i=i: i) for i in range(6)]
    chain(*tasks)
    for limit in (3, 1, 0, 6, 100):
        result, ctx = wf.execute(start_node="t0", max_steps=limit, ret_context=True)
        print(limit, result, ctx.steps, ctx.completed_tasks, ctx.max_steps)
