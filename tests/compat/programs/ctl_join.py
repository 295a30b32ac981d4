"""A node with several predecessors runs once, when all that can run have.

differs: graflow runs it once for each predecessor.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    s, a, b, c = (task(n)(lambda n=n: print(n)) for n in "sabc")
    s >> a
    s >> b
    a >> c
    b >> c
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks, ctx.steps)
