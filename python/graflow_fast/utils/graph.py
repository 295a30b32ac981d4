"""Looking at graphs: as text, as Mermaid, as pictures.

Owns the functions that programs call. All but `build_graph` take a `TaskGraph`, or a networkx ``DiGraph`` as
``TaskGraph.nx_graph()`` gives it. Must not know how a graph is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from graflow_fast._extras import import_extra, without
from graflow_fast.exceptions import ConfigError
from graflow_fast.utils import _ascii, _graphviz, _mermaid
from graflow_fast.utils._groups import flat_view, members_of

if TYPE_CHECKING:
    import networkx

    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.task import Executable
    from graflow_fast.core.workflow import WorkflowContext

__all__ = [
    "build_graph",
    "create_agraph",
    "draw_ascii",
    "draw_dot",
    "draw_mermaid",
    "draw_mermaid_png",
    "draw_png",
    "draw_task_graph",
    "show_graph_info",
    "visualize_dependencies",
]


def build_graph(start_node: Executable, context: WorkflowContext | None = None) -> TaskGraph:
    """The part of a workflow's graph that is connected with a task, in either direction.

    Members of groups are nodes of it, each with an edge from its group. The workflow's own graph stays as it is.

    Args:
        start_node: Where to begin.
        context: The workflow; the current one if None.
    """
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.workflow import current_workflow_context

    whole = (context or current_workflow_context()).graph

    def neighbours(task: Executable) -> Iterator[tuple[tuple[str, str], Executable]]:
        """Each edge at `task`, with the task at its other end."""
        name = task.task_id
        for successor in whole.successors(name) if name in whole.nodes else ():
            yield (name, successor), whole.get_node(successor)
        for member in members_of(task) or ():
            yield (name, member.task_id), member
        for predecessor in whole.predecessors(name) if name in whole.nodes else ():
            yield (predecessor, name), whole.get_node(predecessor)

    part = TaskGraph()
    part.add_node(start_node)
    open_tasks = [neighbours(start_node)]  # a stack instead of recursion, since chains may be long
    while open_tasks:
        step = next(open_tasks[-1], None)
        if step is None:
            open_tasks.pop()
            continue
        edge, task = step
        part.add_edge(*edge)
        if task.task_id not in part.nodes:
            part.add_node(task)
            open_tasks.append(neighbours(task))
    return part


def draw_task_graph(graph: networkx.DiGraph, title: str = "Task Graph") -> None:
    """Show the graph in a matplotlib window. Needs the extra ``plot``."""
    pyplot = import_extra("matplotlib.pyplot", "plot", "draw_task_graph")
    networkx = import_extra("networkx", "graph", "draw_task_graph")
    networkx.draw(
        graph,
        networkx.spring_layout(graph),
        with_labels=True,
        node_color="lightblue",
        node_size=2000,
        edge_color="black",
        arrows=True,
    )
    pyplot.title(title)
    pyplot.show()


def visualize_dependencies(graph: networkx.DiGraph | TaskGraph) -> None:
    """Print each task with those that follow it."""
    print("=== Dependencies ===")
    for node in graph.nodes():
        successors = " >> ".join(map(str, graph.successors(node)))
        print(f"{node} >> {successors}" if successors else f"{node} (no dependencies)")


def show_graph_info(graph: networkx.DiGraph | TaskGraph) -> None:
    """Print nodes, edges and cycles."""
    networkx = import_extra("networkx", "graph", "show_graph_info")
    graph = _as_networkx(graph)
    print("=== Graph Information ===")
    print(f"Nodes: {list(graph.nodes())}")
    print(f"Edges: {list(graph.edges())}")
    cycles = list(networkx.simple_cycles(graph))
    print(f"Cycles detected: {cycles}" if cycles else "No cycles detected")


def draw_ascii(graph: networkx.DiGraph | TaskGraph) -> str:
    """Draw the graph as text: tasks in boxes, groups as two boxes with double borders around their members.

    Needs the extra ``draw``, if the graph has edges.
    """
    graph = _as_networkx(graph)
    if not graph:
        return "Empty graph"
    if not graph.edges():
        return _ascii.boxes([str(node) for node in graph])
    flat, group_nodes = flat_view(graph)
    return _ascii.layered(flat, group_nodes)


def draw_mermaid(
    graph: networkx.DiGraph | TaskGraph,
    title: str = "Graph",
    *,
    with_styles: bool = True,
    node_colors: dict[Any, str] | None = None,
    wrap_label_n_words: int = 9,
) -> str:
    """Draw the graph in the Mermaid language, which GitHub, GitLab and many editors show; groups are boxes.

    Args:
        graph: What to draw.
        title: Put in as a comment, unless it is ``"Graph"``.
        with_styles: Whether to colour the first and the last task and the groups.
        node_colors: Node -> fill colour, for single nodes.
        wrap_label_n_words: Labels of edges are broken after this many words.
    """
    graph = _as_networkx(graph)
    if not graph:
        return "graph TD;\n    EmptyGraph[Empty Graph];\n"
    return _mermaid.mermaid(graph, title, with_styles, node_colors, wrap_label_n_words)


def create_agraph(
    graph: networkx.DiGraph | TaskGraph,
    node_labels: dict[Any, str] | None = None,
    node_colors: dict[Any, str] | None = None,
) -> Any:
    """Make a pygraphviz ``AGraph``, with groups as clusters. Needs the extra ``graphviz``.

    Args:
        graph: What to draw.
        node_labels: Node -> label, where it is not to be the node's name.
        node_colors: Node -> fill colour, where it is not to be light blue.

    Raises:
        ImportError: pygraphviz is not installed.
    """
    return _graphviz.agraph(_as_networkx(graph), node_labels, node_colors)


def draw_dot(
    graph: networkx.DiGraph | TaskGraph,
    node_labels: dict[Any, str] | None = None,
    node_colors: dict[Any, str] | None = None,
) -> str:
    """The graph in Graphviz's DOT language; arguments and needs as for `create_agraph`."""
    drawing = create_agraph(graph, node_labels, node_colors)
    try:
        return str(drawing.string())
    finally:
        drawing.close()


def draw_png(
    graph: networkx.DiGraph | TaskGraph,
    output_path: str | None = None,
    node_labels: dict[Any, str] | None = None,
    node_colors: dict[Any, str] | None = None,
) -> bytes | None:
    """The graph as a PNG picture by Graphviz's ``dot``; arguments and needs as for `create_agraph`.

    Args:
        graph: What to draw.
        output_path: Where to write the picture, if anywhere.
        node_labels: See `create_agraph`.
        node_colors: See `create_agraph`.

    Returns:
        The picture, or None if it was written to `output_path`.
    """
    drawing = create_agraph(graph, node_labels, node_colors)
    try:
        picture: bytes | None = drawing.draw(output_path, format="png", prog="dot")
    finally:
        drawing.close()
    return picture


def draw_mermaid_png(graph: networkx.DiGraph, output_path: str | None = None, **options: Any) -> NoReturn:
    """Not available: it would send the graph to a web service.

    Raises:
        ConfigError: Always; it says what to use instead.
    """
    raise ConfigError(
        "draw_mermaid_png needs the network: it sends the graph to mermaid.ink to be drawn, which graflow_fast does "
        "not do. Use draw_png (Graphviz, on this machine), or put the text of draw_mermaid where Mermaid is shown."
    )


__getattr__ = without(__name__, VertexViewer="use draw_ascii", AsciiCanvas="use draw_ascii")


def _as_networkx(graph: networkx.DiGraph | TaskGraph) -> networkx.DiGraph:
    from graflow_fast.core.graph import TaskGraph

    return graph.nx_graph() if isinstance(graph, TaskGraph) else graph
