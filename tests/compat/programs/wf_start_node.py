"""execute(start_node=...) starts in the middle; what comes before is not run."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    a, b, c = (task(n)(lambda n=n: print(n)) for n in "abc")
    a >> b >> c
    _, ctx = wf.execute(start_node="b", ret_context=True)
    print(ctx.start_node, ctx.completed_tasks)
