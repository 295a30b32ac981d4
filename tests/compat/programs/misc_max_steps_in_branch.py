"""max_steps holds for each branch on its own."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a1, a2, a3, a4, b = (task(n)(lambda n=n: n) for n in ("a1", "a2", "a3", "a4", "b"))
    a1 >> a2 >> a3 >> a4
    (a1 | b).set_group_name("g")
    _, ctx = wf.execute(start_node="g", max_steps=3, ret_context=True)
    print([ctx.get_result(n) for n in ("a1", "a2", "a3", "a4", "b")], ctx.steps)
