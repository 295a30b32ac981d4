"""What a body reads of the graph is the same wherever it runs."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def first(ctx):
        graph = ctx.graph
        print(list(graph.nodes), len(graph.nodes), "second" in graph.nodes, "zzz" in graph.nodes)
        print([name for name, data in graph.nodes(data=True) if data["task"].task_id == name])
        print(graph.nodes["second"]["task"].task_id, graph.get_node("third").task_id, graph.has_node("zzz"))
        print(graph.get_edges(), list(graph.successors("first")), list(graph.predecessors("second")))
        print(graph.detect_cycles(), sorted(graph.nx_graph().nodes))
        print(graph.get_parallel_group_members("pair"))
        try:
            graph.get_node("zzz")
        except KeyError as error:
            print(error)

    @task
    def second():
        return 2

    @task
    def third():
        return 3

    first >> (second | third).set_group_name("pair")
    wf.execute("first")
