"""ctx.graph shows the workflow's graph."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

b = task("b")(lambda: None)
c = task("c")(lambda: None)
with workflow("w") as wf:

    @task(inject_context=True)
    def a(ctx):
        graph = ctx.graph
        print(
            sorted(graph.nodes),
            graph.successors("a"),
            graph.predecessors("ParallelGroup_1"),
            graph.has_node("b"),
            graph.has_node("z"),
        )
        print(graph.get_node("b").task_id, graph.get_parallel_group_members("ParallelGroup_1"), graph.get_edges())
        try:
            graph.get_node("z")
        except KeyError as error:
            print(error)

    a >> (b | c)
    wf.execute(start_node="a")
