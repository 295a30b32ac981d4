"""A context can be saved to and loaded from a file."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper

graph = TaskGraph()
graph.add_node(TaskWrapper("a", lambda: 1, register_to_context=False))
context = ExecutionContext.create(graph, "a", max_steps=9)
context.execute()
context.get_channel().set("x", [1, 2])
context.save("context.pkl")
copy = ExecutionContext.load("context.pkl")
print(
    copy.session_id == context.session_id,
    copy.steps,
    copy.completed_tasks,
    copy.max_steps,
    copy.get_channel().get("x"),
    copy.get_result("a"),
)
print(list(copy.graph.nodes), copy.graph.get_node("a").run())
