"""goto=True jumps; the successors of this task are skipped, those of the target run."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        print("a", ctx.next_task(ctx.graph.get_node("c"), goto=True))

    b, c, d = (task(n)(lambda n=n: print(n)) for n in "bcd")
    a >> b >> c >> d
    _, ctx = wf.execute(ret_context=True)
    print(ctx.completed_tasks)
