"""The graph a user builds: named tasks and edges. It owns names and order, and knows nothing of how a run proceeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graflow_fast._core import is_member
from graflow_fast._extras import import_extra
from graflow_fast._hints import with_hint
from graflow_fast._tracebacks import add_note
from graflow_fast.core import registry
from graflow_fast.exceptions import DuplicateTaskError

if TYPE_CHECKING:
    from graflow_fast.core.task import Executable


class NodeView(Mapping[str, dict[str, Any]]):
    """A read-only view of a graph's nodes: name -> ``{"task": executable}``, in the order they were added."""

    __slots__ = ("_tasks",)

    def __init__(self, tasks: dict[str, Executable]) -> None:
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
        return [(name, self[name]) for name in self._tasks] if data else self


class EdgeView(list[tuple[str, str]]):
    """A graph's edges as (from, to); calling it gives them as well (as in networkx)."""

    def __call__(self) -> EdgeView:
        """Return the edges."""
        return self


class TaskGraph:
    """Tasks by name and the edges between them.

    Group members need not be nodes of their own: `get_node` and `has_node` find them through their group.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, Executable] = {}
        # Edges as insertion-ordered sets, only for nodes that have any.
        self._successors: dict[str, dict[str, None]] = {}
        self._predecessors: dict[str, dict[str, None]] = {}
        self._groups: dict[str, Any] = {}
        #: Of each run that added nodes, the last name before (None: the graph was empty) and the last one after it.
        self._made: list[tuple[str | None, str]] = []
        #: Finds tasks outside the graph that a name may stand for (the free tasks of the workflow's module).
        self.find_free: Callable[[str], Executable | None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "find_free": None}

    def add_node(self, task: Executable, task_id: str | None = None, skip_if_exists: bool = False) -> None:
        """Add ``task`` under ``task_id`` (default: its own id).

        Raises:
            DuplicateTaskError: the name is taken, unless ``skip_if_exists`` is true.
        """
        name = task.task_id if task_id is None else task_id
        if name in self._tasks:
            if skip_if_exists:
                return
            error = DuplicateTaskError.in_graph(name)
            add_note(error, f"Give one of the two another id: @task(id=...), or task_id= for an instance of '{name}'.")
            raise error
        self._tasks[name] = task
        if task.is_group:
            self._groups[name] = task
        if registry.running.task_context is not None:
            self._tell_run("node", name, task)

    def add_edge(self, from_node: str, to_node: str) -> None:
        """Let ``to_node`` run after ``from_node``; a second edge between the same two is the same edge."""
        if registry.running.task_context is not None and to_node not in self._successors.get(from_node, ()):
            self._tell_run("edge", from_node, to_node)
        self._successors.setdefault(from_node, {})[to_node] = None
        self._predecessors.setdefault(to_node, {})[from_node] = None

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
        task = self._tasks.get(task_id)
        if task is None:
            task = self._find_member(task_id)
        if task is None and self.find_free is not None:
            task = self.find_free(task_id)
        if task is None:
            raise with_hint(KeyError(f"Task {task_id} not found in graph"), task_id, self._known_names())
        return task

    def _known_names(self) -> Iterator[str]:
        yield from self._tasks
        for group in self._groups.values():
            yield from (member.task_id for member in group.tasks)

    def has_node(self, task_id: str) -> bool:
        """Say whether a node or a group's member has that name."""
        return task_id in self._tasks or self._find_member(task_id) is not None

    @property
    def nodes(self) -> NodeView:
        """The nodes by name, in the order they were added."""
        return NodeView(self._tasks)

    @property
    def edges(self) -> EdgeView:
        """All edges as (from, to), by source in node order, then in the order they were added."""
        return EdgeView(self.get_edges())

    def get_edges(self) -> list[tuple[str, str]]:
        """Return all edges as (from, to) pairs."""
        sources = [name for name in self._tasks if name in self._successors]
        sources += [name for name in self._successors if name not in self._tasks]
        return [(source, target) for source in sources for target in self._successors[source]]

    def get_start_nodes(self) -> list[str]:
        """Return the nodes without predecessors that can start a run, in the order they were added.

        Members of groups don't count, nor does a definition of which instances were made, nor what bodies have added
        in earlier runs. When the graph has edges or groups, a node without any edge doesn't count either: it is a
        target for jumps.
        """
        if self._made:
            return self._as_defined().get_start_nodes()
        if self._successors or self._groups:
            roots = self._sources()
            roots += [name for name in self._groups if name not in roots and not self._predecessors.get(name)]
            roots = [name for name in roots if name in self._tasks]
            if len(roots) > 1:  # in the order of the nodes
                chosen = set(roots)
                roots = [name for name in self._tasks if name in chosen]
        else:
            roots = [name for name, task in self._tasks.items() if not task.is_template]
        if len(roots) > 1:
            members = self.member_ids()
            return [name for name in roots if name not in members]
        return [name for name in roots if not self._is_member(name)]

    def _sources(self) -> list[str]:
        """Return the names that edges leave and none reaches, in the order of `_successors`."""
        # Both tables mostly have the same order: then nothing is looked up, which is slow among a million of names.
        reached = iter(self._predecessors.items())
        name, before = next(reached, (None, None))
        found = []
        for source, targets in self._successors.items():
            if source is name:
                is_reached = before
                name, before = next(reached, (None, None))
            else:
                is_reached = self._predecessors.get(source)
            if targets and not is_reached:
                found.append(source)
        return found

    def last_name(self) -> str | None:
        """Return the name that was added last, None for an empty graph."""
        return next(reversed(self._tasks), None)

    def note_made_since(self, before: str | None) -> None:
        """Note that a run has made the nodes behind the one that was the last when it started."""
        after = self.last_name()
        if after is not None and after != before:
            self._made.append((before, after))

    def _as_defined(self) -> TaskGraph:
        """Return this graph without the nodes that runs have made."""
        first = {before: after for before, after in self._made if after in self._tasks}
        made: set[str] = set()
        until = first.get(None)
        for name in self._tasks:
            if until is not None:
                made.add(name)
                if name == until:
                    until = None
            if until is None:
                until = first.get(name)
        defined = TaskGraph()
        defined._tasks = {name: task for name, task in self._tasks.items() if name not in made}
        defined._groups = {name: group for name, group in self._groups.items() if name not in made}
        for source, target in self.get_edges():
            if source not in made and target not in made:
                defined._successors.setdefault(source, {})[target] = None
                defined._predecessors.setdefault(target, {})[source] = None
        return defined

    def successors(self, node: str) -> list[str]:
        """Return the nodes that follow ``node``, in edge order."""
        return list(self._successors.get(node, ()))

    def predecessors(self, node: str) -> list[str]:
        """Return the nodes that ``node`` follows, in edge order."""
        return list(self._predecessors.get(node, ()))

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
        for mapping in (self._tasks, self._successors, self._predecessors, self._groups):
            mapping.clear()
        self._made.clear()

    def rename_node(self, old_task_id: str, new_task_id: str) -> None:
        """Give a node another name, with its edges; it becomes the last of the nodes.

        Raises:
            KeyError: there is no node of the old name.
            ValueError: the new name is taken.
        """
        if old_task_id not in self._tasks:
            raise with_hint(KeyError(f"Task {old_task_id} not found in graph"), old_task_id, self._tasks)
        if old_task_id == new_task_id:
            return
        if new_task_id in self._tasks:
            raise ValueError(f"Task {new_task_id} already exists in graph")

        def renamed(mapping: dict[str, Any]) -> dict[str, Any]:
            return {new_task_id if name == old_task_id else name: value for name, value in mapping.items()}

        self._tasks[new_task_id] = self._tasks.pop(old_task_id)
        if old_task_id in self._groups:
            self._groups[new_task_id] = self._groups.pop(old_task_id)
        for edges, back in ((self._successors, self._predecessors), (self._predecessors, self._successors)):
            if old_task_id in edges:
                for neighbour in edges[old_task_id]:
                    if neighbour != old_task_id:
                        back[neighbour] = renamed(back[neighbour])
        self._successors = renamed(self._successors)
        self._predecessors = renamed(self._predecessors)

    def remove_node(self, task_id: str) -> None:
        """Remove a node and its edges."""
        self._tasks.pop(task_id, None)
        self._groups.pop(task_id, None)
        for edges, back in ((self._successors, self._predecessors), (self._predecessors, self._successors)):
            for neighbour in edges.pop(task_id, ()):
                back.get(neighbour, {}).pop(task_id, None)

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
        for name, task in self._tasks.items():
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
