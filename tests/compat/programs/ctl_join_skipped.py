"""A predecessor that was skipped is not waited for; a node all of whose predecessors were skipped is skipped too."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def s(ctx):
        print("s")
        ctx.next_task(ctx.graph.get_node("a"), goto=True)

    a, b, b2, join, end = (task(n)(lambda n=n: print(n)) for n in ("a", "b", "b2", "join", "end"))
    s >> a
    s >> b >> b2 >> join
    a >> join >> end
    b2 >> end
    wf.execute()
