"""ExecutionContext.execute() runs the context; a second time there is nothing left to do."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper

graph = TaskGraph()
graph.add_node(TaskWrapper("a", lambda: "A", register_to_context=False))
context = ExecutionContext.create(graph, "a")
print(context.execute(), context.steps)
print(context.execute(), context.steps, context.completed_tasks)
