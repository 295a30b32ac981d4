"""A custom handler registered with the engine runs the tasks that name it."""

from graflow.core.context import ExecutionContext
from graflow.core.engine import WorkflowEngine
from graflow.core.graph import TaskGraph
from graflow.core.handler import TaskHandler
from graflow.core.task import TaskWrapper


class Shouting(TaskHandler):
    def execute_task(self, task, context):
        print("handler:", task.task_id, type(context).__name__)
        result = task.run().upper()
        context.set_result(task.task_id, result)
        return result


graph = TaskGraph()
graph.add_node(TaskWrapper("a", lambda: "soft", handler_type="shout", register_to_context=False))
graph.add_node(TaskWrapper("b", lambda a: a + "!", register_to_context=False))
graph.add_edge("a", "b")
context = ExecutionContext.create(graph, "a")
engine = WorkflowEngine()
engine.register_handler("shout", Shouting())
print(engine.execute(context), context.get_result("a"), Shouting().get_name())
