"""execute() returns the result of the task that ran last."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a, b, c = task("a")(lambda: 1), task("b")(lambda: 2), task("c")(lambda: 3)
    a >> b
    a >> c
    print(wf.execute())
    result, context = wf.execute(ret_context=True)
    print(result, type(context).__name__, context.completed_tasks)
