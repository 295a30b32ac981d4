"""add_to_queue inside a body has the task run next, before the body's successors."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def first(ctx):
        ctx.execution_context.add_to_queue(ctx.graph.get_node("extra"))
        print("first")

    @task
    def second():
        print("second")

    @task
    def extra():
        print("extra")

    first >> second
    wf.execute("first")
