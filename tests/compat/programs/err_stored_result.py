"""A failed task's stored result is its exception; it is not in completed_tasks and no step."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper


def fail():
    raise ValueError("broken")


graph = TaskGraph()
graph.add_node(TaskWrapper("a", lambda: 1, register_to_context=False))
graph.add_node(TaskWrapper("b", fail, register_to_context=False))
graph.add_edge("a", "b")
context = ExecutionContext.create(graph, "a")
try:
    context.execute()
except Exception as error:
    print(type(error).__name__)
print(repr(context.get_result("b")), context.completed_tasks, context.steps, context.get_channel().keys())
