"""Successors run in edge order, first in, first out: breadth first."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    s, a, b, a1, a2, b1 = (task(n)(lambda: None) for n in ("s", "a", "b", "a1", "a2", "b1"))
    s >> b >> b1
    s >> a >> a1
    a >> a2
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks)
