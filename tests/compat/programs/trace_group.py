"""In a group each branch has a clone of the tracer; each member has its start and end."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.trace.noop import NoopTracer

events = {}
clones = []


class Log(NoopTracer):
    def on_task_start(self, task, context):
        events.setdefault(task.task_id, []).append(("start", context.current_task_id))

    def on_task_end(self, task, context, result=None, error=None):
        events.setdefault(task.task_id, []).append(("end", repr(error)))

    def clone(self, trace_id):
        clones.append(len(trace_id))
        return Log(enable_runtime_graph=False)


def fail():
    raise ValueError("no")


a, b, c = task("a")(lambda: 1), task("b")(fail), task("c")(lambda: 3)
with workflow("w", tracer=Log()) as wf:
    (a | b).set_group_name("g").with_execution(policy="best_effort") >> c
    wf.execute()
for name in sorted(events):
    print(name, events[name])
print(clones)
