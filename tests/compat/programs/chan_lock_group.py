"""Members of a group take turns inside lock.

differs: in graflow each member has a lock and a copy of its own.
"""

from graflow.core.decorators import task
from graflow.core.task import parallel
from graflow.core.workflow import workflow


@task(inject_context=True)
def count(ctx, n):
    channel = ctx.get_channel()
    for _ in range(n):
        with channel.lock("n"):
            channel.set("n", channel.get("n", 0) + 1)


with workflow("w") as wf:
    parallel(*(count(task_id=f"c{i}", n=20) for i in range(4))).set_group_name("g")
    _, ctx = wf.execute(start_node="g", ret_context=True)
    print(ctx.get_channel().get("n"))
