"""ParallelGroup([...], name=...) can be made directly."""

from graflow.core.decorators import task
from graflow.core.task import ParallelGroup
from graflow.core.workflow import workflow

a, b = (task(n)(lambda n=n: n) for n in "ab")
with workflow("w") as wf:
    group = ParallelGroup([a, b], name="pair")
    print(group, group.task_id, [t.task_id for t in group.tasks], list(wf.graph.nodes))
    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_result("a"), ctx.get_result("b"))
