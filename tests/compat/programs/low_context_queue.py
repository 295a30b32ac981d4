"""add_to_queue, get_next_task, is_completed: the ready queue is first in, first out."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph
from graflow.core.task import Task

graph = TaskGraph()
for name in "abc":
    graph.add_node(Task(name, register_to_context=False))
context = ExecutionContext.create(graph, "a")
context.add_to_queue(graph.get_node("c"))
context.add_to_queue(graph.get_node("b"))
print(context.is_completed())
print(context.get_next_task(), context.get_next_task(), context.get_next_task(), context.get_next_task())
print(context.is_completed())
