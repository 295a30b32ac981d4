"""TaskGraph: nodes, edges, successors, predecessors, start nodes."""

from graflow.core.graph import TaskGraph
from graflow.core.task import Task

graph = TaskGraph()
for name in "abcd":
    graph.add_node(Task(name, register_to_context=False), name)
graph.add_edge("a", "b")
graph.add_edge("a", "c")
graph.add_edge("b", "d")
graph.add_edge("c", "d")
print(list(graph.nodes), graph.get_edges(), list(graph.edges))
print(graph.successors("a"), graph.predecessors("d"), graph.get_start_nodes())
print(graph.has_node("a"), graph.has_node("z"), graph.get_node("b"), graph.detect_cycles())
print("a" in graph.nodes, len(graph.nodes), ("a", "b") in graph.edges)
graph.add_edge("d", "a")
print(sorted(sorted(c) for c in graph.detect_cycles()), graph.get_start_nodes())
graph.clear()
print(list(graph.nodes), graph.get_edges())
