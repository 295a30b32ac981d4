"""What a failed attempt enqueued with next_task is forgotten.

differs: graflow enqueues at once, so the task runs although the body that asked for it failed.
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True, max_retries=1)
    def a(ctx):
        if ctx.retry_count == 0:
            ctx.next_task(ctx.graph.get_node("rescue"), goto=True)
            raise ValueError("again")
        print("a")

    b, rescue = task("b")(lambda: print("b")), task("rescue")(lambda: print("rescue"))
    a >> b >> rescue
    wf.execute()
