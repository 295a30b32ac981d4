"""The order of a custom tracer's hooks in a sequential run."""

import re

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer


def short(name):
    return re.sub("[0-9a-f]{8}$", "HEX", name)


class Log(NoopTracer):
    def on_workflow_start(self, workflow_name, context):
        print("workflow start", short(workflow_name), context.start_node)
        super().on_workflow_start(workflow_name, context)

    def on_workflow_end(self, workflow_name, context, result=None):
        print("workflow end", short(workflow_name), result, context.steps)

    def on_task_queued(self, task, context):
        print("queued", short(task.task_id))

    def on_task_start(self, task, context):
        print("start", short(task.task_id), context.current_task_id)

    def on_task_end(self, task, context, result=None, error=None):
        print("end", short(task.task_id), result, repr(error))

    def on_dynamic_task_added(self, task_id, parent_task_id=None, is_iteration=False, metadata=None):
        print("dynamic", short(task_id), parent_task_id, is_iteration, sorted(metadata or {}))


with workflow("w", tracer=Log()) as wf:

    @task(inject_context=True, max_retries=1)
    def a(ctx):
        print("body a")
        if ctx.retry_count == 0:
            raise ValueError("once")
        return "A"

    b = task("b")(lambda: "B")
    a >> b
    wf.execute()
