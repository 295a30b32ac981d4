"""Graphs for Graphviz, through the package pygraphviz.

Owns the attributes of nodes, edges and clusters. Must not know tasks or how groups are found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._extras import import_extra
from graflow_fast.utils._groups import boxed_view

if TYPE_CHECKING:
    import networkx

__all__ = ["agraph"]

_CLUSTER = {
    "style": "filled",
    "fillcolor": "#f3e5f5",
    "color": "#4a148c",
    "penwidth": 2.5,
    "labeljust": "l",
    "labelloc": "t",
}
_EDGE = {"fontsize": "10", "fontname": "arial"}
_PLAIN_COLOR = "lightblue"


def agraph(graph: networkx.DiGraph, node_labels: dict[Any, str] | None, node_colors: dict[Any, str] | None) -> Any:
    """A pygraphviz ``AGraph``; groups are clusters. See `graph.create_agraph` for the arguments."""
    pygraphviz = import_extra("pygraphviz", "graphviz", "Drawing with Graphviz")
    if not graph:
        empty = pygraphviz.AGraph(directed=True)
        empty.add_node("Empty", label="Empty Graph", style="filled", fillcolor="lightgray")
        return empty

    view = boxed_view(graph)
    # Edges may end at the border of a cluster ("compound").
    drawing = pygraphviz.AGraph(directed=True, nodesep=0.5, ranksep=1.2, compound=True)

    def add_node(to: Any, node: Any) -> None:
        label = (node_labels or {}).get(node, str(node))
        color = (node_colors or {}).get(node, _PLAIN_COLOR)
        text = f"<<B>{label}</B>>"
        to.add_node(str(node), label=text, style="filled", fillcolor=color, fontsize=12, fontname="arial")

    clusters: dict[str, str] = {}
    for number, (group, inside) in enumerate(view.contents.items()):
        clusters[group] = f"cluster_{number}"
        drawing.add_subgraph(name=clusters[group], label=group, **_CLUSTER)
        cluster = drawing.get_subgraph(clusters[group])
        for node in inside:
            add_node(cluster, node)
    for node in view.free:
        add_node(drawing, node)

    boxed = view.boxed
    for source, target in ((str(source), str(target)) for source, target in view.graph.edges()):
        if source in clusters and target in boxed:
            continue  # the cluster shows it
        # Graphviz draws edges between nodes only, so a group is represented by its first node.
        attributes = dict(_EDGE)
        if source in clusters:
            attributes["ltail"] = clusters[source]
            source = view.contents[source][0]
        if target in clusters:
            attributes["lhead"] = clusters[target]
            target = view.contents[target][0]
        drawing.add_edge(source, target, **attributes)
    return drawing
