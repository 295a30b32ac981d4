"""Members of a group that each make a task under the same name.

differs: in graflow both run the task of whichever came first.
"""

from graflow.core.decorators import task
from graflow.core.task import parallel
from graflow.core.workflow import workflow


@task
def show(n):
    print("show", n)


@task(inject_context=True)
def member(ctx, n):
    ctx.next_task(show(task_id="shown", n=n))


with workflow("w") as wf:
    parallel(member(task_id="a", n=1), member(task_id="b", n=2)).set_group_name("g")
    try:
        wf.execute("g")
    except Exception as error:
        print(type(error).__name__, error)
