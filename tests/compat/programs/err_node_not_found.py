"""An edge to a node without a task is found when the run gets there."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph
from graflow.core.task import TaskWrapper

graph = TaskGraph()
graph.add_node(TaskWrapper("a", lambda: None, register_to_context=False))
graph.add_edge("a", "ghost")
try:
    ExecutionContext.create(graph, "a").execute()
except Exception as error:
    print("ghost" in str(error))
