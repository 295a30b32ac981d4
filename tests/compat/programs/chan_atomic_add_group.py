"""atomic_add adds up over parallel members.

differs: in graflow each member adds to a copy, and the copies overwrite each other.
"""

from graflow.core.decorators import task
from graflow.core.task import parallel
from graflow.core.workflow import workflow


@task(inject_context=True)
def count(ctx, n):
    return [ctx.get_channel().atomic_add("n") for _ in range(n)]


with workflow("w") as wf:
    parallel(*(count(task_id=f"c{i}", n=25) for i in range(4))).set_group_name("g")
    _, ctx = wf.execute(start_node="g", ret_context=True)
    values = [v for i in range(4) for v in ctx.get_result(f"c{i}")]
    print(ctx.get_channel().get("n"), len(set(values)))
