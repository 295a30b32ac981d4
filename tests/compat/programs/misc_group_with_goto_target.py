"""A group may be the target of a goto and of next_task."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

x, y, z = (task(n)(lambda n=n: n) for n in "xyz")
with workflow("w") as wf:
    group = (x | y).set_group_name("pair")

    @task(inject_context=True)
    def a(ctx):
        ctx.next_task(ctx.graph.get_node("pair"), goto=True)

    b = task("b")(lambda: print("b"))
    a >> b
    group >> z
    result, ctx = wf.execute(start_node="a", ret_context=True)
    print(result, ctx.completed_tasks)
