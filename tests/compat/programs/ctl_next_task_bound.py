"""An instance with parameters given to next_task."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow


@task
def work(n):
    return n * 10


with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.next_task(ctx.graph.get_node("w2"), goto=True)

    two = work(task_id="w2", n=2)
    a >> two
    print(wf.execute())
