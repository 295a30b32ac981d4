"""TaskGraph: what is refused."""

from graflow.core.graph import TaskGraph
from graflow.core.task import Task
from graflow.exceptions import DuplicateTaskError, GraphCompilationError

graph = TaskGraph()
graph.add_node(Task("a", register_to_context=False))
graph.add_node(Task("b", register_to_context=False), "other_id")
print(list(graph.nodes))
try:
    graph.add_node(Task("a", register_to_context=False))
except DuplicateTaskError as error:
    print(isinstance(error, GraphCompilationError), "a" in error.task_id)
graph.add_node(Task("a", register_to_context=False), skip_if_exists=True)
for call in (
    lambda: graph.get_node("z"),
    lambda: graph.rename_node("z", "y"),
    lambda: graph.rename_node("a", "other_id"),
):
    try:
        call()
    except (KeyError, ValueError) as error:
        print(type(error).__name__, error)
