"""The nodes of a run: names and tasks by the scheduler's integer ids, and attaching what a body adds.

Owns the mapping between the user's graph and the scheduler's; decides nothing about order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._core import NodeIds, load_edges, load_members, load_tasks
from graflow_fast._hints import did_you_mean
from graflow_fast._run.branches.additions import Additions
from graflow_fast._run.lanes import Lanes, is_limited
from graflow_fast.core import registry
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import DuplicateTaskError, GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast._core import Scheduler
    from graflow_fast._run.branches.branches import Branch
    from graflow_fast._run.resources import Resources
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.registry import BodyLinks
    from graflow_fast.core.task import Executable


class NodeTable:
    """Names, tasks and ids of everything that a run may execute.

    Attributes:
        names: id -> name; tasks: id -> executable; ids: name -> id.
        members: group's id -> its members' ids.
        group_count: how many groups without a name the workflow has made.
    """

    def __init__(self, scheduler: Scheduler, graph: TaskGraph, root: Branch, resources: Resources) -> None:
        self.scheduler = scheduler
        self.graph = graph
        self.root = root
        self.names: list[str] = []
        self.tasks: list[Executable] = []
        self.ids = NodeIds(self.names)
        self.members: dict[int, list[int]] = {}
        #: Each definition that was loaded, with one task of it.
        self.definitions: dict[Definition, TaskWrapper] = {}
        #: Executables that were loaded and have no definition of their own: groups, maps and others.
        self.others: list[Executable] = []
        self.group_count = 0
        #: Which of them may have to wait for others, and for what.
        self.lanes = Lanes(scheduler, resources)
        #: Ids of forgotten tasks, for new ones.
        self._free: list[int] = []
        #: Of a recorded run, what ids stood for: (rows until then, id, name, task), -1 rows for what it is from now on.
        self.renamed: list[tuple[int, int, str, Executable]] = []
        self._load()
        #: How many nodes the run began with.
        self.given = len(self.names)

    def add(self, task: Executable, name: str | None = None) -> int:
        """Add an executable (with its members, if it is a group) that is not there yet; return its id."""
        task_id = task.task_id if name is None else name
        found = self.ids.get(task_id)
        return self._new(task, task_id, self.ids) if found is None else found

    def find(self, name: str, branch: Branch) -> int | None:
        """Return the node that a name stands for in a branch: what it added itself, then what is around it."""
        while branch.fork is not None:
            if branch.additions is not None:
                found = branch.additions.ids.get(name)
                if found is not None:
                    return found
            branch = branch.fork.parent
        return self.ids.get(name)

    def names_added_around(self, branch: Branch) -> list[str]:
        """Return the names that a branch, and those around it, have added so far."""
        names: list[str] = []
        while branch.fork is not None:
            if branch.additions is not None:
                names.extend(branch.additions.ids)
            branch = branch.fork.parent
        return names

    def attach(self, executable: Executable, branch: Branch) -> tuple[int, Executable | None]:
        """Make what a body passed to ``next_task`` part of the run.

        A name that its branch knows stands for that node, with the node's edges; if the body passed another task under
        it, that one runs, this time. Chains and groups are what was passed, too: nodes without a name, if need be.

        Returns:
            The node to activate, and what is to run in place of the node's own task (None for that).

        Raises:
            DuplicateTaskError: two tasks of a fragment have one name.
        """
        from graflow_fast.core.composition import Fragment
        from graflow_fast.core.task import SequentialTask, TaskReference

        start = executable.leftmost if isinstance(executable, SequentialTask) else executable
        made = executable.made if isinstance(executable, Fragment) else None
        if start.is_map:
            taken = self.find(start.task_id, branch)
            if taken is not None and self.tasks[taken] is not start:
                start.rename_if_taken(_Known(self, branch))  # type: ignore[attr-defined]
        if not start.is_group and not registry.is_linked(start, made):
            known = self.find(start.task_id, branch)
            if known is not None:
                if self._stands_for(known, start):
                    return known, None
                if self.tasks[known].is_group:  # which the scheduler forks: no task can run in its place
                    return self._new(start, start.task_id, None), None
                return known, start
            if isinstance(start, TaskReference):
                try:
                    start = branch.graph.get_node(start.task_id)
                except KeyError:
                    raise GraflowRuntimeError(f"next_task(): no task '{start.task_id}' is left in the graph") from None
            if start._links is None and not start.is_group:
                return self._add_in(branch, start, start.task_id), None
        return self._attach_fragment(start, branch, made), None

    def _attach_fragment(self, start: Executable, branch: Branch, made: BodyLinks | None) -> int:
        """Make a group, and all that hangs together by free edges, part of the run; return the node of ``start``."""
        component = registry.linked_component(start, made)
        placed = _Placed(branch)
        for task in component:
            if id(task) not in placed.nodes:
                self._place(task, placed, in_graph=True)
                task._owner = self.graph
        for source in component:
            for target in registry.successors_by_free_edges(source, made):
                self._connect(source, target, placed)
        return placed.nodes[id(start)]

    def _place(self, task: Executable, placed: _Placed, in_graph: bool) -> int:
        """Return the node for a task of a fragment; ``in_graph``: it is no mere member of a group."""
        from graflow_fast.core.task import TaskReference

        node = placed.nodes.get(id(task))
        if node is not None:
            return node
        branch, name = placed.branch, task.task_id
        if placed.names.setdefault(name, task) is not task and not isinstance(task, TaskReference):
            raise DuplicateTaskError(name)
        known = self.find(name, branch)
        if known is not None:
            node = known if self._stands_for(known, task) else self._new(task, name, None, placed)
        elif in_graph:
            node = self._add_in(branch, task, name, placed)
        else:
            node = self._new(task, name, self._ids_of(branch), placed)
        placed.nodes[id(task)] = node
        return node

    def _stands_for(self, node: int, task: Executable) -> bool:
        """Say whether to run ``task`` is to run the node: it is its task, or a copy that has been in a worker."""
        from graflow_fast.core.task import TaskReference

        known = self.tasks[node]
        if known is task or isinstance(task, TaskReference):
            return True
        if isinstance(task, TaskWrapper) and isinstance(known, TaskWrapper):
            return known._definition is task._definition and _are_equal(known._bound_kwargs, task._bound_kwargs)
        if known.is_group and task.is_group:
            members = self.members[node]
            theirs = task.tasks  # type: ignore[attr-defined]
            return len(members) == len(theirs) and all(map(self._stands_for, members, theirs))
        return type(known) is type(task) and not task.is_map

    def _connect(self, source: Executable, target: Executable, placed: _Placed) -> None:
        """Make a free edge part of the run; between nodes that have a name, also of the graph."""
        start, end = placed.nodes[id(source)], placed.nodes[id(target)]
        branch = placed.branch
        if self.find(source.task_id, branch) == start and self.find(target.task_id, branch) == end:
            self.add_edge(source.task_id, target.task_id, branch)
        else:
            self._link(start, end)

    def add_named(self, name: str, task: Executable, branch: Branch) -> None:
        """Make a node that a body added to the graph part of the run, unless its branch has one of that name."""
        if self.find(name, branch) is None:
            self._add_in(branch, task, name)

    def add_edge(self, source: str, target: str, branch: Branch) -> None:
        """Make an edge that a body asked for part of the run.

        An edge that starts outside of what the body's branch can reach concerns others, and counts from the join on.

        Raises:
            GraflowRuntimeError: one of its ends is no task of the graph.
        """
        start, end = self._known(source, branch), self._known(target, branch)
        if branch.fork is None:
            if target not in self.graph.successors(source):
                self.graph.add_edge(source, target)
        else:
            additions = branch.own_additions()
            additions.add_edge(source, target, start, end)
            if source not in additions.ids and not self.scheduler.reaches(branch.id, start):
                return
        self._link(start, end)

    def _link(self, start: int, end: int) -> None:
        if end not in self.scheduler.successors(start):
            self.scheduler.add_edge(start, end)

    # --- what branches that ran without the driver added, and the join

    def note(self, nodes: list[int], additions: Additions) -> None:
        """Note that a branch added these nodes, in that order."""
        for node in nodes:
            additions.ids[self.names[node]] = node
            additions.changes.append(("node", self.names[node], self.tasks[node]))

    def additions(self, nodes: list[int]) -> Additions:
        """Return the record of a branch that added these nodes and nothing else."""
        additions = Additions()
        self.note(nodes, additions)
        return additions

    def adopt(self, additions: Additions, parent: Branch) -> None:
        """Let the branch around a member's know what the member added; a name it knows keeps its meaning."""
        own = additions.ids
        for name, node in own.items():
            if self.find(name, parent) is None:
                (self.ids if parent.fork is None else parent.own_additions().ids)[name] = node
        edges = iter(additions.edges)
        for kind, name, what in additions.changes:
            if kind == "edge":
                start, end = next(edges)
                if self.find(name, parent) == start and self.find(what, parent) == end:
                    self.add_edge(name, what, parent)
                else:  # between the same nodes, of which one has lost its name
                    self._link(start, end)
            elif self.find(name, parent) != own[name]:
                continue  # another member's task has the name
            elif parent.fork is not None:
                parent.own_additions().changes.append((kind, name, what))
            elif name not in self.graph.nodes:
                self.graph.add_node(what, name)

    def release(self, node: int) -> None:
        """Forget a node; its id goes to the next one that is added."""
        rows = self.scheduler.rows_made()
        if rows is not None:
            self.renamed.append((rows, node, self.names[node], self.tasks[node]))
        if self.ids.get(self.names[node]) == node:
            del self.ids[self.names[node]]
        self.names[node] = "(forgotten)"
        from graflow_fast.core.task import Task

        self.tasks[node] = Task("(forgotten)", register_to_context=False)
        self._free.append(node)

    def resolve(self, name: str) -> int | None:
        """Return the id of a node by name, also when the user's graph got it after the start."""
        found = self.ids.get(name)
        if found is None and self.graph.has_node(name):
            found = self.add(self.graph.get_node(name), name)
        return found

    def _load(self) -> None:
        graph = self.graph
        names, tasks, ids, found = self.names, self.tasks, self.ids, self.definitions
        others = load_tasks(self.scheduler, graph._table, TaskWrapper, ids, names, tasks, found)
        #: So many nodes, the first ones, are plain tasks of the graph: their names stand for them.
        self.plain = len(names)
        if any(definition.priority or is_limited(definition) for definition in found):
            self.lanes.note_all(tasks, found)
        for name, task in others:
            self.others.append(task)
            self.add(task, name)
        if not load_edges(self.scheduler, graph._table, ids):
            for source, target in graph.get_edges():
                self._edge(source, target)

    def _ids_of(self, branch: Branch) -> NodeIds | dict[str, int]:
        """Return where a branch keeps the names that it gives."""
        return self.ids if branch.fork is None else branch.own_additions().ids

    def _add_in(self, branch: Branch, task: Executable, name: str, placed: _Placed | None = None) -> int:
        """Add an executable under a name that its branch does not know."""
        placed = _Placed(branch) if placed is None else placed
        if branch.fork is None:
            if name not in self.graph.nodes:
                self.graph.add_node(task, name)
            found = self.ids.get(name)
            return self._new(task, name, self.ids, placed) if found is None else found
        node = self._new(task, name, self._ids_of(branch), placed)
        branch.own_additions().changes.append(("node", name, task))
        return node

    def _new(
        self, task: Executable, name: str, ids: NodeIds | dict[str, int] | None, placed: _Placed | None = None
    ) -> int:
        """Make a node, and those of its members.

        Args:
            task: what it runs.
            name: what it is called.
            ids: where its name is kept; None if the name stands for another node.
            placed: the fragment that it belongs to; None for a task of the graph.
        """
        priority, lane = self.lanes.options_of(task)
        if self._free and not task.is_group and not priority and not lane:
            node = self._free.pop()
            self.names[node], self.tasks[node] = name, task
            if self.scheduler.rows_made() is not None:
                self.renamed.append((-1, node, name, task))
        else:
            node = self.scheduler.add_node(group=task.is_group, priority=priority, lane=lane)
            self.names.append(name)
            self.tasks.append(task)
            self.lanes.note(node, (priority, lane))
        if ids is not None:
            ids[name] = node
        if task.is_group:
            self._add_members(node, task, placed)
        return node

    def _add_members(self, group: int, task: Any, placed: _Placed | None) -> None:
        # Members may be groups and may be added under this call: there is no list before it is complete.
        ids = None
        if placed is None:
            ids = load_members(self.scheduler, task.tasks, TaskWrapper, self.ids, self.names, self.tasks)
        if ids is None:
            # A member whose name stands for another task was made by a body, in this run or one before.
            placed = _Placed(self.root) if placed is None else placed
            ids = [self._place(member, placed, in_graph=False) for member in task.tasks]
        self.members[group] = ids
        self.scheduler.set_members(group, ids)

    def _edge(self, source: str, target: str) -> None:
        self.scheduler.add_edge(self._known(source), self._known(target))

    def _known(self, name: str, branch: Branch | None = None) -> int:
        found = None if branch is None else self.find(name, branch)
        if found is None:
            found = self.resolve(name)
        if found is None:
            hint = did_you_mean(name, self.graph.nodes if branch is None else branch.graph.nodes)
            raise GraflowRuntimeError(f"An edge names task '{name}', which is not in the graph. {hint}".rstrip())
        return found


def function_name(task: Executable) -> str:
    """Return what a task's function is called, "" for a group, which has none."""
    definition = getattr(task, "_definition", None) or getattr(getattr(task, "task", None), "_definition", None)
    return "" if definition is None else str(getattr(definition.func, "__name__", type(definition.func).__name__))


class _Known:
    """The names that a branch knows, for asking whether one is taken."""

    def __init__(self, table: NodeTable, branch: Branch) -> None:
        self._table = table
        self._branch = branch

    def __contains__(self, name: str) -> bool:
        return self._table.find(name, self._branch) is not None


class _Placed:
    """The nodes of one fragment, by the identity of its tasks, and its tasks by name."""

    def __init__(self, branch: Branch) -> None:
        self.branch = branch
        self.nodes: dict[int, int] = {}
        self.names: dict[str, Executable] = {}


def _are_equal(some: dict[str, Any], others: dict[str, Any]) -> bool:
    """Say whether bound arguments are surely the same; what can't be told without the objects' own help is not."""
    return some.keys() == others.keys() and all(
        value is others[name] or (type(value) is type(others[name]) and type(value) in _PLAIN and value == others[name])
        for name, value in some.items()
    )


_PLAIN = (int, float, str, bytes, bool, complex, type(None))
