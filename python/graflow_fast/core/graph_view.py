"""A graph as a group's member, or a single body, sees it: the graph around it, and what was added to this view alone.

Owns a copy, made when somebody first looks at a view that differs. The graph around it stands still meanwhile, or only
others change it, whose changes this view need not see. It must not know branches or the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graflow_fast.core.graph import TaskGraph

if TYPE_CHECKING:
    from graflow_fast._core import GraphTable
    from graflow_fast.core.task import Executable

#: ("node", name, task) or ("edge", source, target).
Change = tuple[str, str, Any]


class GraphView(TaskGraph):
    """A graph with additions of its own.

    Args:
        around: what it adds to.
        changes: what was added from elsewhere; it may grow, and is looked at when somebody reads this view.
    """

    def __init__(self, around: TaskGraph, changes: list[Change] | None = None) -> None:
        self._around = around
        self._changes = [] if changes is None else changes
        self._copy: TaskGraph | None = None
        #: How many of the changes the copy has, and how many `_added` has.
        self._applied = self._read = 0
        self._added: dict[str, Executable] = {}

    def __reduce__(self) -> Any:
        return _plain_graph, (self._seen().__getstate__(),)

    def get_node(self, task_id: str) -> Executable:
        """Return the task of that name; see `TaskGraph.get_node`."""
        if self._copy is not None:
            return super().get_node(task_id)
        return self._find_added(task_id) or self._around.get_node(task_id)

    def has_node(self, task_id: str) -> bool:
        """Say whether a node or a group's member has that name."""
        if self._find_added(task_id) is not None:
            return True
        return self._around.has_node(task_id) if self._copy is None else super().has_node(task_id)

    def _find_added(self, name: str) -> Executable | None:
        """Return an addition by name: looking for one needs no copy."""
        if self._copy is not None:
            return None
        for kind, added, what in self._changes[self._read :]:
            if kind == "node":
                self._added.setdefault(added, what)
        self._read = len(self._changes)
        return self._added.get(name)

    def _seen(self) -> TaskGraph:
        """Return the graph to read: the one around as long as nothing was added, else the copy."""
        if self._applied == len(self._changes):
            return self._around if self._copy is None else self._copy
        copy = self._own()
        waiting, self._applied = self._changes[self._applied :], len(self._changes)
        for kind, name, what in waiting:
            if kind == "edge":
                copy._table.link(name, what)
            elif copy._table.add(name, what) and what.is_group:
                copy._groups[name] = what
        return copy

    def _own(self) -> TaskGraph:
        """Return the copy, made now if there is none."""
        if self._copy is None:
            around, copy = self._around, TaskGraph()
            copy._table = around._table.copy()
            copy._groups = dict(around._groups)
            self._copy = copy
        return self._copy

    # --- what the methods of `TaskGraph` read and write

    @property
    def _table(self) -> GraphTable:  # type: ignore[override]
        return self._seen()._table

    @property
    def _groups(self) -> dict[str, Any]:  # type: ignore[override]
        return self._seen()._groups

    @property
    def _made(self) -> list[tuple[str | None, str]]:  # type: ignore[override]
        return list(self._around._made)

    @property
    def find_free(self) -> Callable[[str], Executable | None] | None:  # type: ignore[override]
        """What finds tasks outside the graph; see `TaskGraph`."""
        return self._around.find_free

    # --- changes concern this view alone

    def add_node(self, task: Executable, task_id: str | None = None, skip_if_exists: bool = False) -> None:
        """Add a task; see `TaskGraph.add_node`."""
        self._own()
        super().add_node(task, task_id, skip_if_exists)

    def add_edge(self, from_node: str, to_node: str) -> None:
        """Add an edge; see `TaskGraph.add_edge`."""
        self._own()
        super().add_edge(from_node, to_node)

    def rename_node(self, old_task_id: str, new_task_id: str) -> None:
        """Rename a node; see `TaskGraph.rename_node`."""
        self._own()
        super().rename_node(old_task_id, new_task_id)

    def remove_node(self, task_id: str) -> None:
        """Remove a node; see `TaskGraph.remove_node`."""
        self._own()
        super().remove_node(task_id)

    def clear(self) -> None:
        """Remove all nodes and edges."""
        self._own()
        super().clear()


class BodyGraph(GraphView):
    """The run's graph as one body sees it; what it adds counts in the run when it has returned.

    Args:
        around: the graph as the body's branch sees it.
        tell: called with each node and edge that the body adds.
    """

    def __init__(self, around: TaskGraph, tell: Callable[..., None]) -> None:
        super().__init__(around)
        self._tell = tell

    def add_node(self, task: Executable, task_id: str | None = None, skip_if_exists: bool = False) -> None:
        """Add a task; see `TaskGraph.add_node`."""
        name = task.task_id if task_id is None else task_id
        if self._find_added(name) is not None or self._copy is not None or name in self._around._table:
            super().add_node(task, name, skip_if_exists)
            return
        self._changes.append(("node", name, task))
        self._tell("node", name, task)

    def add_edge(self, from_node: str, to_node: str) -> None:
        """Add an edge; see `TaskGraph.add_edge`."""
        self._changes.append(("edge", from_node, to_node))
        self._tell("edge", from_node, to_node)

    def _tell_run(self, *change: Any) -> None:
        self._tell(*change)


def _plain_graph(state: dict[str, Any]) -> TaskGraph:
    graph = TaskGraph()
    graph.__setstate__(state)
    return graph
