"""create() without a start node takes the first root."""

from graflow.core.context import ExecutionContext
from graflow.core.engine import WorkflowEngine
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper

graph = TaskGraph()
for name in "abc":
    graph.add_node(TaskWrapper(name, lambda n=name: n, register_to_context=False))
graph.add_edge("a", "c")
context = ExecutionContext.create(graph)
print(context.start_node, WorkflowEngine().execute(context), context.completed_tasks)
