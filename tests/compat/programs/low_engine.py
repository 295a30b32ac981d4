"""TaskGraph + ExecutionContext.create + WorkflowEngine().execute."""

from graflow.core.context import ExecutionContext
from graflow.core.engine import WorkflowEngine
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper

graph = TaskGraph()
graph.add_node(TaskWrapper("a", lambda: "A", register_to_context=False), "a")
graph.add_node(TaskWrapper("b", lambda a: a + "B", register_to_context=False), "b")
graph.add_edge("a", "b")
context = ExecutionContext.create(graph, "a", max_steps=10)
print(WorkflowEngine().execute(context))
print(context.completed_tasks, context.steps, context.max_steps, context.start_node, context.get_result("a"))
print(context.is_completed(), context.session_id == context.trace_id, context.parent_context)
