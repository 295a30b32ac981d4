"""on_dynamic_task_added for new tasks, gotos and iterations."""

import re

from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer

events = []


class Log(NoopTracer):
    def on_dynamic_task_added(self, task_id, parent_task_id=None, is_iteration=False, metadata=None):
        events.append(
            (
                re.sub("[0-9a-f]{8}$", "HEX", task_id),
                parent_task_id,
                is_iteration,
                metadata["is_new_task"],
                metadata["goto"],
            )
        )


with workflow("w", tracer=Log()) as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.next_task(TaskWrapper("new", lambda: None, register_to_context=False))
        ctx.next_task(ctx.graph.get_node("c"), goto=True)

    @task(inject_context=True)
    def c(ctx):
        if ctx.cycle_count < 2:
            ctx.next_iteration()

    a >> task("b")(lambda: None)
    (task("d")(lambda: None)) >> c
wf.execute(start_node="a")
for event in events:
    print(event)
