"""terminate beats next_task and goto."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        ctx.next_task(ctx.graph.get_node("b"), goto=True)
        ctx.terminate_workflow("enough")
        return 1

    a >> task("b")(lambda: print("b"))
    print(wf.execute())
