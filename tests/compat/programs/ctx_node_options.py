"""What get_node says of a task's options inside a body."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def first(ctx):
        node = ctx.graph.get_node("second")
        print(node.task_id, node.max_retries, node.max_cycles, node.handler_type, node.inject_context)
        print(list(ctx.graph.edges()), list(ctx.graph.nodes()))

    @task(max_retries=2)
    def second():
        pass

    first >> second
    wf.execute("first")
