"""A task that is in two groups runs in both."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

a, b, c = (task(n)(lambda n=n: n) for n in "abc")
with workflow("w") as wf:
    one = (a | b).set_group_name("one")
    two = (a | c).set_group_name("two")
    one >> two
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks, ctx.steps, sorted(ctx.get_channel().keys()))
