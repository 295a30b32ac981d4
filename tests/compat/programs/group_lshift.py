"""group << a and group << (a >> b) put a before the group."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

a, b, c, d, e = (task(n)(lambda: None) for n in "abcde")
with workflow("w") as wf:
    group = c | d
    print(group << (a >> b), wf.graph.get_edges())
    print(group >> e, wf.graph.get_edges())
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks)
