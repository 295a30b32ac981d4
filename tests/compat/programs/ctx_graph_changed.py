"""A node and an edge that a body adds to the graph count in the run."""

from graflow.core.decorators import task
from graflow.core.task import TaskWrapper
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def first(ctx):
        new = TaskWrapper("new", lambda: print("new"), register_to_context=False)
        ctx.graph.add_node(new, "new")
        ctx.graph.add_edge("first", "new")
        print(list(ctx.graph.nodes), list(ctx.graph.successors("first")))

    @task
    def second():
        print("second")

    first >> second
    _, context = wf.execute("first", ret_context=True)
    print(context.completed_tasks)
    print(list(wf.graph.nodes), wf.graph.get_edges())
