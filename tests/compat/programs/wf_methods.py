"""add_node, add_edge, rename_node, clear and get_next_group_name of a workflow."""

from graflow.core.task import Task
from graflow.core.workflow import WorkflowContext

wf = WorkflowContext("w")
for name in "ab":
    wf.add_node(name, Task(name, register_to_context=False))
wf.add_edge("a", "b")
wf.rename_node("b", "c")
print(wf.name, list(wf.graph.nodes), wf.graph.get_edges())
print(wf.get_next_group_name(), wf.get_next_group_name())
wf.clear()
print(list(wf.graph.nodes), wf.get_next_group_name())
