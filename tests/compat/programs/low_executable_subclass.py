"""An Executable of one's own: in a workflow, and with a handler of its own."""

from graflow.core.context import ExecutionContext
from graflow.core.engine import WorkflowEngine
from graflow.core.handler import TaskHandler
from graflow.core.task import Executable
from graflow.core.workflow import workflow


class Step(Executable):
    def __init__(self, name, handler="direct"):
        super().__init__()
        self._name = name
        self.handler_type = handler
        self._register_to_context()

    @property
    def task_id(self):
        return self._name

    def run(self, *args, **kwargs):
        print("run", self._name, self.get_execution_context().current_task_id)
        return self._name

    def __call__(self, *args, **kwargs):
        return self.run()


class Loud(TaskHandler):
    def get_name(self):
        return "loud"

    def execute_task(self, task, context):
        result = task.run().upper()
        context.set_result(task.task_id, result)
        return result


with workflow("w") as wf:
    first, second = Step("first"), Step("second", "loud")
    first >> second
    print(second.handler_type, list(wf.graph.nodes))
    engine = WorkflowEngine()
    engine.register_handler("loud", Loud())
    context = ExecutionContext.create(wf.graph)
    print(engine.execute(context), context.get_result("first"), context.get_result("second"))
