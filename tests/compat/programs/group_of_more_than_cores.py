"""Twenty members, results in order."""

from graflow.core.decorators import task
from graflow.core.task import parallel
from graflow.core.workflow import workflow


@task
def cube(n):
    return n**3


@task(inject_context=True)
def total(ctx):
    return sum(ctx.get_result(f"c{i}") for i in range(20))


with workflow("w") as wf:
    parallel(*(cube(task_id=f"c{i}", n=i) for i in range(20))).set_group_name("cubes") >> total
    print(wf.execute(start_node="cubes"))
