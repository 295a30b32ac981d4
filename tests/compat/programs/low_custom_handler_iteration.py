"""A task with a custom handler iterates, with its data.

differs: in graflow the handler is asked for the first round only.
"""

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.engine import WorkflowEngine
from graflow.core.handler import TaskHandler
from graflow.core.workflow import workflow


class Loud(TaskHandler):
    def get_name(self):
        return "loud"

    def execute_task(self, task, context):
        print("handled")
        result = task.run()
        context.set_result(task.task_id, result)
        return result


with workflow("w") as wf:

    @task(handler="loud", inject_context=True)
    def loop(ctx, data=None):
        print(ctx.cycle_count, data)
        if ctx.cycle_count < 3:
            ctx.next_iteration(ctx.cycle_count * 10)
        return data

    engine = WorkflowEngine()
    engine.register_handler("loud", Loud())
    context = ExecutionContext.create(wf.graph, "loop")
    print(engine.execute(context), context.get_result("loop"))
