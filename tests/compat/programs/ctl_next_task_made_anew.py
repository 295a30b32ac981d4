"""A loop that makes a task and a group under the same names in every round.

differs: in graflow a second task of that name is an error where it is made.
"""

from graflow.core.decorators import task
from graflow.core.task import parallel
from graflow.core.workflow import workflow


@task
def show(n):
    print("show", n)


with workflow("w") as wf:

    @task(inject_context=True)
    def loop(ctx, n=0):
        ctx.next_task(show(task_id="one", n=n))
        ctx.next_task(parallel(show(task_id="left", n=n + 1), show(task_id="right", n=n + 2)))
        if n < 10:
            ctx.next_iteration(10)

    try:
        wf.execute("loop")
    except Exception as error:
        print(type(error).__name__, error)
