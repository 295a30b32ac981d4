"""What one branch has added to the graph: tasks under names of its own, and edges, until its group joins.

Siblings run beside each other, so none may see what another one adds: a name that two of them give stands for a task
each. Owns that record; `NodeTable` makes nodes of it and decides at the join who keeps a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graflow_fast.core.graph_view import Change


class Additions:
    """Tasks and edges that one branch has added.

    Attributes:
        ids: name -> node, of the tasks that it named, members of groups included.
        changes: nodes and edges of the graph, in the order in which they were added.
        edges: the nodes at the ends of the edges among these changes, in that order.
    """

    __slots__ = ("changes", "edges", "ids")

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.changes: list[Change] = []
        self.edges: list[tuple[int, int]] = []

    def add_edge(self, source: str, target: str, start: int, end: int) -> None:
        """Note an edge between two nodes, by their names and numbers."""
        self.changes.append(("edge", source, target))
        self.edges.append((start, end))
