"""The graph a user builds: named tasks and edges. It owns names and order, and knows nothing of how a run proceeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from graflow_fast._core import GraphTable, is_member
from graflow_fast._extras import import_extra
from graflow_fast._hints import with_hint
from graflow_fast._tracebacks import add_note
from graflow_fast.core import registry
from graflow_fast.exceptions import DuplicateTaskError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast.core.task import Executable


class NodeView(Mapping[str, "dict[str, Any]"]):
    """A read-only view of a graph's nodes: name -> ``{"task": executable}``, in the order they were added."""

    __slots__ = ("_tasks",)

    def __init__(self, tasks: GraphTable | dict[str, Any]) -> None:
        self._tasks = tasks

    def __getitem__(self, name: str) -> dict[str, Any]:
        return {"task": self._tasks[name]}

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    def __repr__(self) -> str:
        return repr(list(self._tasks))

    def __call__(self, data: bool = False) -> Any:
        """Return the nodes, with their data when ``data`` is true (as in networkx)."""
        return [(name, {"task": task}) for name, task in self._tasks.items()] if data else self


class EdgeView(list[tuple[str, str]]):
    """A graph's edges as (from, to); calling it gives them as well (as in networkx)."""

    def __call__(self) -> EdgeView:
        """Return the edges."""
        return self


class TaskGraph:
    """Tasks by name and the edges between them.

    Group members need not be nodes of their own: `get_node` and `has_node` find them through their group.
    """

    # In a slot, where definitions find it without Python.
    __slots__ = ("__dict__", "__weakref__", "_table")

    #: Tasks by name, and the edges between names.
    _table: GraphTable
    #: How many runs are under way.
    _runs = 0

    def __init__(self) -> None:
        self._table = GraphTable()
        self._groups: dict[str, Any] = {}
        #: Of each run that added nodes, the last name before (None: the graph was empty) and the last one after it.
        self._made: list[tuple[str | None, str]] = []
        #: The edges that runs have added.
        self._edges_made: list[tuple[str, str]] = []
        #: Finds tasks outside the graph that a name may stand for (the free tasks of the workflow's module).
        self.find_free: Callable[[str], Executable | None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_table": self._table, "_runs": 0, "find_free": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._table = state.pop("_table")
        self.__dict__.update(state)

    def add_node(self, task: Executable, task_id: str | None = None, skip_if_exists: bool = False) -> None:
        """Add ``task`` under ``task_id`` (default: its own id).

        Raises:
            DuplicateTaskError: the name is taken, unless ``skip_if_exists`` is true.
        """
        name = task.task_id if task_id is None else task_id
        if not self._table.add(name, task):
            if skip_if_exists:
                return
            error = DuplicateTaskError.in_graph(name)
            add_note(error, f"Give one of the two another id: @task(id=...), or task_id= for an instance of '{name}'.")
            raise error
        if task.is_group:
            self._groups[name] = task
        if registry.running.task_context is not None:
            self._tell_run("node", name, task)

    def add_edge(self, from_node: str, to_node: str) -> None:
        """Let ``to_node`` run after ``from_node``; a second edge between the same two is the same edge."""
        if not self._table.link(from_node, to_node):
            return
        if self._runs:
            self._edges_made.append((from_node, to_node))
        if registry.running.task_context is not None:
            self._tell_run("edge", from_node, to_node)

    def _tell_run(self, *change: Any) -> None:
        """A running body that changes its own workflow's graph means the run: it takes effect as directives do."""
        task_context = registry.running.task_context
        if getattr(task_context.execution_context, "graph", None) is self:
            task_context.change_graph(*change)

    def get_node(self, task_id: str) -> Executable:
        """Return the task of that name: a node, a member of a group, or a free task of the workflow's module.

        Raises:
            KeyError: there is none.
        """
        task: Executable | None = self._table.get(task_id)
        if task is None:
            task = self._find_member(task_id)
        if task is None and self.find_free is not None:
            task = self.find_free(task_id)
        if task is None:
            raise with_hint(KeyError(f"Task {task_id} not found in graph"), task_id, self._known_names())
        return task

    def _known_names(self) -> Iterator[str]:
        yield from self._table
        for group in self._groups.values():
            yield from (member.task_id for member in group.tasks)

    def has_node(self, task_id: str) -> bool:
        """Say whether a node or a group's member has that name."""
        return task_id in self._table or self._find_member(task_id) is not None

    @property
    def nodes(self) -> NodeView:
        """The nodes by name, in the order they were added."""
        return NodeView(self._table)

    @property
    def edges(self) -> EdgeView:
        """All edges as (from, to), by source in node order, then in the order they were added."""
        return EdgeView(self.get_edges())

    def get_edges(self) -> list[tuple[str, str]]:
        """Return all edges as (from, to) pairs."""
        return self._table.edges()

    def get_start_nodes(self) -> list[str]:
        """Return the nodes without predecessors that can start a run, in the order they were added.

        Members of groups don't count, nor does a definition of which instances were made, nor what bodies have added
        in earlier runs. When the graph has edges or groups, a node without any edge doesn't count either: it is a
        target for jumps.
        """
        if self._made:
            return self._as_defined().get_start_nodes()
        if self._table.edge_count or self._groups:
            roots = self._table.roots(self._groups)
        else:
            roots = [name for name, task in self._table.items() if not task.is_template]
        if len(roots) > 1:
            members = self.member_ids()
            return [name for name in roots if name not in members]
        return [name for name in roots if not self._is_member(name)]

    def last_name(self) -> str | None:
        """Return the name that was added last, None for an empty graph."""
        return self._table.last()

    def begin_run(self) -> str | None:
        """Note what is added from now on as made by a run; returns what `end_run` takes."""
        self._runs += 1
        return self.last_name()

    def end_run(self, before: str | None) -> None:
        """End what `begin_run` began."""
        self._runs -= 1
        after = self.last_name()
        if after is not None and after != before:
            self._made.append((before, after))

    @property
    def is_running(self) -> bool:
        """Whether a run of it is under way."""
        return self._runs > 0

    def forget_made(self) -> None:
        """Be as it was defined again, without what earlier runs have added; not while one is under way."""
        if self._runs or not (self._made or self._edges_made):
            return
        for name in self._made_names():
            task = self._table.get(name)
            self.remove_node(name)
            if task is not None and task._owner is self:
                task._owner = None
        for source, target in self._edges_made:
            self._table.unlink(source, target)
        self._made.clear()
        self._edges_made.clear()

    def _as_defined(self) -> TaskGraph:
        """Return this graph without the nodes that runs have made."""
        defined = TaskGraph()
        defined._table = self._table.copy()
        defined._groups = dict(self._groups)
        for name in self._made_names():
            defined.remove_node(name)
        for source, target in self._edges_made:
            defined._table.unlink(source, target)
        return defined

    def _made_names(self) -> list[str]:
        """Return the names of the nodes that runs have made."""
        first = {before: after for before, after in self._made if after in self._table}
        made = []
        until = first.get(None)
        for name in self._table:
            if until is not None:
                made.append(name)
                if name == until:
                    until = None
            if until is None:
                until = first.get(name)
        return made

    def successors(self, node: str) -> list[str]:
        """Return the nodes that follow ``node``, in edge order."""
        return self._table.successors(node)

    def predecessors(self, node: str) -> list[str]:
        """Return the nodes that ``node`` follows, in edge order."""
        return self._table.predecessors(node)

    def get_parallel_group_members(self, group_id: str) -> list[str]:
        """Return the ids of a group's members, in order; empty when there is no such group."""
        group = self._groups.get(group_id)
        return [] if group is None else [member.task_id for member in group.tasks]

    def detect_cycles(self) -> list[list[str]]:
        """Return the elementary cycles, each as the list of its nodes. Needs the extra ``graph``."""
        networkx = import_extra("networkx", "graph", "Analysing a graph")

        return [list(cycle) for cycle in networkx.simple_cycles(self.nx_graph())]

    def clear(self) -> None:
        """Remove all nodes and edges."""
        self._table.clear()
        self._groups.clear()
        self._made.clear()
        self._edges_made.clear()

    def rename_node(self, old_task_id: str, new_task_id: str) -> None:
        """Give a node another name, with its edges; it becomes the last of the nodes.

        Raises:
            KeyError: there is no node of the old name.
            ValueError: the new name is taken.
        """
        if old_task_id not in self._table:
            raise with_hint(KeyError(f"Task {old_task_id} not found in graph"), old_task_id, self._table)
        if old_task_id == new_task_id:
            return
        if new_task_id in self._table:
            raise ValueError(f"Task {new_task_id} already exists in graph")

        self._table.rename(old_task_id, new_task_id)
        if old_task_id in self._groups:
            self._groups[new_task_id] = self._groups.pop(old_task_id)

    def remove_node(self, task_id: str) -> None:
        """Remove a node and its edges."""
        self._table.remove(task_id)
        self._groups.pop(task_id, None)

    def member_ids(self) -> set[str]:
        """Return the ids of all members of all groups."""
        return {member.task_id for group in self._groups.values() for member in group.tasks}

    def groups(self) -> list[Any]:
        """Return the groups that are nodes, in the order they were added."""
        return list(self._groups.values())

    def nx_graph(self) -> Any:
        """Return a networkx ``DiGraph`` of this graph, made now (changing it does not change this graph)."""
        networkx = import_extra("networkx", "graph", "Drawing or analysing a graph")

        graph: Any = networkx.DiGraph()
        for name, task in self._table.items():
            graph.add_node(name, task=task)
        graph.add_edges_from(self.get_edges())
        return graph

    def __str__(self) -> str:
        from graflow_fast.utils.graph import draw_ascii

        return draw_ascii(self.nx_graph())

    def _is_member(self, name: str) -> bool:
        from graflow_fast.core.task import TaskWrapper

        groups = (group for own_name, group in self._groups.items() if own_name != name)  # none is in itself
        return any(is_member(name, group.tasks, TaskWrapper) for group in groups)

    def _find_member(self, task_id: str) -> Executable | None:
        for group in self._groups.values():
            member: Executable
            for member in group.tasks:
                if member.task_id == task_id:
                    return member
        return None
