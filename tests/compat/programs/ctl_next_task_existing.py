"""next_task of a task that is in the graph: it runs, then the successors.

differs: in graflow naming an existing task means goto, as an early version's documentation said.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.next_task(ctx.graph.get_node("helper"))
        print("a")

    @task
    def b():
        print("b")

    @task
    def helper():
        print("helper")

    a >> b
    b >> helper
    _, ctx = wf.execute(start_node="a", ret_context=True)
    print(ctx.completed_tasks, ctx.steps)
