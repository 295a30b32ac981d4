"""How parallel groups appear in drawings.

Owns the two views of a graph that drawings need: groups as a pair of nodes around their members (text), and groups as
boxes that contain their members (Mermaid, Graphviz). Must not know any drawing format. Graphs are networkx
``DiGraph`` objects whose nodes may have a ``task``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx

__all__ = ["BoxedView", "boxed_view", "flat_view", "members_of"]

END_MARK = "↣ "
"""Put before a group's name to name the place where its members meet again."""


def members_of(task: Any) -> list[Any] | None:
    """The members if `task` is a parallel group, otherwise None."""
    is_group = getattr(task, "is_group", hasattr(task, "tasks") and hasattr(task, "with_execution"))
    return list(task.tasks) if is_group else None


def groups_in(graph: networkx.DiGraph) -> dict[str, list[Any]]:
    """Name -> members of each group that is a node, in node order."""
    found = ((str(node), members_of(data.get("task"))) for node, data in graph.nodes(data=True))
    return {name: members for name, members in found if members is not None}


def flat_view(graph: networkx.DiGraph) -> tuple[networkx.DiGraph, set[str]]:
    """Replace each group by a start node and an end node, with its members between them.

    Returns:
        The new graph, and the names of all start and end nodes.
    """
    groups = {name: [member.task_id for member in members] for name, members in groups_in(graph).items()}
    flat = graph.copy()
    flat.remove_nodes_from(groups)
    for name, member_ids in groups.items():
        flat.add_nodes_from((name, END_MARK + name))
        flat.add_nodes_from(member_id for member_id in member_ids if member_id not in groups)

    def end_of(node: Any) -> Any:
        return END_MARK + node if node in groups else node

    for name, member_ids in groups.items():
        for source in graph.predecessors(name):
            if name not in groups.get(source, ()):
                flat.add_edge(end_of(source), name)
        for member_id in member_ids:
            flat.add_edge(name, member_id)
            flat.add_edge(end_of(member_id), END_MARK + name)
        for target in graph.successors(name):
            if target not in member_ids:
                flat.add_edge(END_MARK + name, target)
    return flat, {mark for name in groups for mark in (name, END_MARK + name)}


@dataclass(frozen=True)
class BoxedView:
    """A graph whose groups are boxes: edges lead to and from the box, not across its border."""

    graph: networkx.DiGraph
    contents: dict[str, list[str]]
    """Group -> what its box contains, members first."""

    @property
    def boxed(self) -> set[str]:
        """Everything that is in some box."""
        return {str(node) for nodes in self.contents.values() for node in nodes}

    @property
    def free(self) -> list[Any]:
        """Nodes that are neither a group nor in a box."""
        boxed = self.boxed
        return [node for node in self.graph if str(node) not in boxed and str(node) not in self.contents]


def boxed_view(graph: networkx.DiGraph) -> BoxedView:
    """Put the members of each group, and what follows them inside the group, into a box."""
    view = graph.copy()
    contents: dict[str, list[str]] = {}
    for name, members in groups_in(graph).items():
        member_ids = [member.task_id for member in members]
        for member in members:
            if member.task_id not in view:
                view.add_node(member.task_id, task=member)
        after = {node for node in graph.successors(name) if node not in member_ids}
        inside = _inside(graph, member_ids, after)
        for node in inside:
            view.remove_edges_from([(source, node) for source in view.predecessors(node) if source not in inside])
            view.remove_edges_from([(node, target) for target in view.successors(node) if target in after])
        contents[name] = list(inside)
    return BoxedView(view, contents)


def _inside(graph: networkx.DiGraph, member_ids: list[str], after: set[Any]) -> dict[str, None]:
    """The members and all that is reachable from them without passing what comes after the group, in order."""
    inside = dict.fromkeys(member_ids)
    reached: set[Any] = set()
    waiting = list(reversed(member_ids))
    while waiting:
        node = waiting.pop()
        if node in reached or node in after or node not in graph:
            continue
        reached.add(node)
        inside[node] = None
        waiting.extend(reversed(list(graph.successors(node))))
    return inside
