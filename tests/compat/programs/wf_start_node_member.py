"""A group's member may be the start node, although it is no node of the graph."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

a, b, e = (task(n)(lambda n=n: n) for n in "abe")
with workflow("w") as wf:
    (a | b) >> e
    result, ctx = wf.execute(start_node="b", ret_context=True)
    print(result, ctx.completed_tasks)
