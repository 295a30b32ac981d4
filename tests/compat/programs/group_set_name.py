"""set_group_name renames the node, keeps its edges and returns the group."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

s, a, b, e = (task(n)(lambda: None) for n in "sabe")
with workflow("w") as wf:
    group = a | b
    s >> group >> e
    print(group.set_group_name("middle") is group, group.task_id)
    print(list(wf.graph.nodes), wf.graph.get_edges())
    try:
        group.set_group_name("e")
    except ValueError as error:
        print("ValueError", error)
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks)
