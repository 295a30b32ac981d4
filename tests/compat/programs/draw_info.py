"""utils.graph: visualize_dependencies, show_graph_info and build_graph."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.utils.graph import build_graph, show_graph_info, visualize_dependencies

with workflow("w") as wf:
    a, b, c, d = (task(n)(lambda: None) for n in "abcd")
    a >> b >> c
    visualize_dependencies(wf.graph.nx_graph())
    show_graph_info(wf.graph.nx_graph())
    built = build_graph(a, wf)
    print(list(built.nodes), sorted(built.get_edges()))
