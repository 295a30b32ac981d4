"""The nodes of a run: names and tasks by the scheduler's integer ids, and attaching what a body adds.

Owns the mapping between the user's graph and the scheduler's; decides nothing about order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._core import load_edges, load_members, load_tasks
from graflow_fast._hints import did_you_mean
from graflow_fast.core import registry
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import DuplicateTaskError, GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast._core import Scheduler
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.task import Executable


class NodeTable:
    """Names, tasks and ids of everything that a run may execute.

    Attributes:
        names: id -> name; tasks: id -> executable; ids: name -> id.
        members: group's id -> its members' ids.
    """

    def __init__(self, scheduler: Scheduler, graph: TaskGraph) -> None:
        self.scheduler = scheduler
        self.graph = graph
        self.names: list[str] = []
        self.tasks: list[Executable] = []
        self.ids: dict[str, int] = {}
        self.members: dict[int, list[int]] = {}
        #: Each definition that was loaded, with one task of it.
        self.definitions: dict[Definition, TaskWrapper] = {}
        #: Executables that were loaded and have no definition of their own: groups, maps and others.
        self.others: list[Executable] = []
        self._lanes: dict[int, int] = {}
        #: Ids of forgotten tasks, for new ones.
        self._free: list[int] = []
        self._load()

    def add(self, task: Executable, name: str | None = None) -> int:
        """Add an executable (with its members, if it is a group) that is not there yet; return its id."""
        task_id = task.task_id if name is None else name
        found = self.ids.get(task_id)
        if found is not None:
            return found
        priority, lane = self._options(task)
        if self._free and not task.is_group and not priority and not lane:
            node = self._free.pop()
            self.names[node], self.tasks[node] = task_id, task
        else:
            node = self.scheduler.add_node(group=task.is_group, priority=priority, lane=lane)
            self.names.append(task_id)
            self.tasks.append(task)
        self.ids[task_id] = node
        if task.is_group:
            self._add_members(node, task)
        return node

    def attach(self, executable: Executable, group_name: Any) -> int:
        """Make what a body passed to ``next_task`` part of the run; return the id of the node to activate.

        An executable whose name the graph has already stands for that node. ``group_name`` names unnamed groups.

        Raises:
            DuplicateTaskError: a fragment brings another task under a name that is taken.
        """
        from graflow_fast.core.task import SequentialTask, TaskReference

        start = executable.leftmost if isinstance(executable, SequentialTask) else executable
        if start.is_map and self._is_taken(start):
            start.rename_if_taken(self.ids)  # type: ignore[attr-defined]
        known = self.ids.get(start.task_id)
        if known is not None and start._links is None:
            return known
        if isinstance(start, TaskReference):
            try:
                start = self.graph.get_node(start.task_id)
            except KeyError:
                raise GraflowRuntimeError(f"next_task(): no task '{start.task_id}' is left in the graph") from None
        if start._links is None and not start.is_group:
            self.graph.add_node(start)
            return self.add(start)
        component = registry.linked_component(start)
        for task in component:
            node = self.ids.get(task.task_id)
            if node is not None:
                if self.tasks[node] is not task and not isinstance(task, TaskReference) and task is not start:
                    raise DuplicateTaskError.in_graph(task.task_id)
                continue
            if task.task_id not in self.graph.nodes:
                self.graph.add_node(task)
            task._owner = self.graph
            self.add(task)
        registry.add_free_edges(component, self._new_edge)
        return self.ids[start.task_id]

    def add_named(self, name: str, task: Executable) -> None:
        """Make a node that a body added to the graph part of the run."""
        if name not in self.graph.nodes:  # it came from a worker
            self.graph.add_node(task, name)
        self.add(task, name)

    def add_edge(self, source: str, target: str) -> None:
        """Make an edge that a body added to the graph part of the run.

        Raises:
            GraflowRuntimeError: one of its ends is no task of the graph.
        """
        if self._known(target) not in self.scheduler.successors(self._known(source)):
            self.graph.add_edge(source, target)
            self._edge(source, target)

    def _is_taken(self, task: Executable) -> bool:
        known = self.ids.get(task.task_id)
        return known is not None and self.tasks[known] is not task

    def release(self, node: int) -> None:
        """Forget a node; its id goes to the next one that is added."""
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
        others = load_tasks(self.scheduler, graph._tasks, TaskWrapper, ids, names, tasks, found)
        if any(definition.priority or definition.max_concurrency is not None for definition in found):
            for node, task in enumerate(tasks):
                self.scheduler.set_options(node, *self._options(task))
        for name, task in others:
            self.others.append(task)
            self.add(task, name)
        if not load_edges(self.scheduler, graph._tasks, graph._successors, ids):
            for source, target in graph.get_edges():
                self._edge(source, target)

    def _add_members(self, group: int, task: Any) -> None:
        # Members may be groups and may be added under this call; the list is complete only after it.
        self.members[group] = []
        ids = load_members(task.tasks, TaskWrapper, self.ids)
        if ids is None:
            ids = [self.add(member) for member in task.tasks]
        self.members[group] = ids
        self.scheduler.set_members(group, ids)

    def _options(self, task: Executable) -> tuple[int, int]:
        """Return the priority and the lane of a task."""
        if task.is_map:
            return task.task._definition.priority, 0  # type: ignore[attr-defined]
        definition = getattr(task, "_definition", None)
        if definition is None:
            return 0, 0
        return definition.priority, 0 if definition.max_concurrency is None else self._lane(definition)

    def _edge(self, source: str, target: str) -> None:
        self.scheduler.add_edge(self._known(source), self._known(target))

    def _known(self, name: str) -> int:
        found = self.resolve(name)
        if found is None:
            hint = did_you_mean(name, self.graph.nodes)
            raise GraflowRuntimeError(f"An edge names task '{name}', which is not in the graph. {hint}".rstrip())
        return found

    def _new_edge(self, source: str, target: str) -> None:
        if target not in self.graph.successors(source):
            self.graph.add_edge(source, target)
            self._edge(source, target)

    def _lane(self, definition: Any) -> int:
        lane = self._lanes.get(id(definition))
        if lane is None:
            lane = self._lanes[id(definition)] = len(self._lanes) + 1
            self.scheduler.set_lane_limit(lane, int(definition.max_concurrency))
        return lane
