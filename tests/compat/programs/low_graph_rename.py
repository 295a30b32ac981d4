"""rename_node keeps the edges; the renamed node goes to the end of the nodes."""

from graflow.core.graph import TaskGraph
from graflow.core.task import Task

graph = TaskGraph()
for name in "abc":
    graph.add_node(Task(name, register_to_context=False))
graph.add_edge("a", "b")
graph.add_edge("b", "c")
graph.rename_node("b", "x")
print(list(graph.nodes), sorted(graph.get_edges()), graph.get_node("x"))
