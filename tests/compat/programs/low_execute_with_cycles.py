"""execute_with_cycles(graph, start, max_steps) runs a graph with a cycle for so many steps."""

from graflow.core.context import execute_with_cycles
from graflow.core.engine import WorkflowEngine
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper

graph = TaskGraph()
for name in "ab":
    graph.add_node(TaskWrapper(name, lambda n=name: print(n), register_to_context=False))
graph.add_edge("a", "b")
graph.add_edge("b", "a")
execute_with_cycles(graph, "a", max_steps=5)
print(WorkflowEngine().execute_with_cycles(graph, "b", max_steps=2))
