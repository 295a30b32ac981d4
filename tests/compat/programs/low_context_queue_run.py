"""What was put in the queue before execute() runs after the start node."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper


def make(name):
    return TaskWrapper(name, lambda: print(name), register_to_context=False)


graph = TaskGraph()
for name in "abcd":
    graph.add_node(make(name))
graph.add_edge("a", "d")
context = ExecutionContext.create(graph, "a")
context.add_to_queue(graph.get_node("c"))
context.add_to_queue(graph.get_node("b"))
context.execute()
print(context.completed_tasks)
