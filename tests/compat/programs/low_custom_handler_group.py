"""A group whose handler is custom is run by that handler; a replaced "direct" handler runs everything."""

from graflow.core.context import ExecutionContext
from graflow.core.engine import WorkflowEngine
from graflow.core.graph import TaskGraph
from graflow.core.handlers.direct import DirectTaskHandler
from graflow.core.task import TaskWrapper


class Counting(DirectTaskHandler):
    def __init__(self):
        self.seen = []

    def execute_task(self, task, context):
        self.seen.append(task.task_id)
        return super().execute_task(task, context)


graph = TaskGraph()
graph.add_node(TaskWrapper("a", lambda: 1, register_to_context=False))
graph.add_node(TaskWrapper("b", lambda a: a + 1, register_to_context=False))
graph.add_edge("a", "b")
handler = Counting()
engine = WorkflowEngine()
engine.register_handler("direct", handler)
print(engine.execute(ExecutionContext.create(graph, "a")), handler.seen, handler.get_name())
