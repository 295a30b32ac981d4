"""Two free tasks of one name: the first one that a workflow uses stays."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

first = task("a")(lambda: "first")
second = task("a")(lambda: "second")
b = task("b")(lambda: None)
c = task("c")(lambda: None)
with workflow("w") as wf:
    first >> b
    second >> c
    print(wf.graph.get_edges(), wf.graph.get_node("a") is first)
    _, ctx = wf.execute(ret_context=True)
    print(ctx.get_result("a"), ctx.completed_tasks)
