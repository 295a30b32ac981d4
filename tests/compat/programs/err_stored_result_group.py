"""The stored result of a failed group is its ParallelGroupError."""

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.workflow import workflow


def fail():
    raise ValueError("broken")


a, b = task("a")(lambda: 1), task("b")(fail)
with workflow("w") as wf:
    (a | b).set_group_name("g")
context = ExecutionContext.create(wf.graph, "g")
try:
    context.execute()
except Exception as error:
    print(type(error).__name__)
print(
    type(context.get_result("g")).__name__,
    context.get_result("a"),
    context.get_result("b"),
    context.completed_tasks,
    context.steps,
)
