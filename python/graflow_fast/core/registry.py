"""Where a new task belongs: to the workflow being defined, or to none yet.

Owns the current workflow of a thread of control, the edges between tasks that belong to no workflow ("free" tasks), and
the free tasks of each module. Knows workflows only as objects with a ``graph``; nothing of runs but whether one is
executing a body here.
"""

from __future__ import annotations

import contextvars
import sys
import weakref
from typing import TYPE_CHECKING, Any

from graflow_fast.core.running import running as running

if TYPE_CHECKING:
    from graflow_fast.core.task import Executable, ParallelGroup
    from graflow_fast.core.workflow import WorkflowContext

current_workflow: contextvars.ContextVar[WorkflowContext | None] = contextvars.ContextVar(
    "graflow_fast_workflow", default=None
)


class Links:
    """The neighbours of a free task, in the order the edges were made."""

    __slots__ = ("predecessors", "successors")

    def __init__(self) -> None:
        self.successors: list[Executable] = []
        self.predecessors: list[Executable] = []


class FreeTasks:
    """The free tasks of one module, by name; they don't keep the tasks alive."""

    def __init__(self) -> None:
        self.tasks: dict[str, weakref.ref[Executable]] = {}
        self.group_count = 0

    def add(self, task: Executable) -> None:
        """Remember a task; a later one of the same name replaces an earlier one."""
        self.tasks[task.task_id] = weakref.ref(task)

    def find(self, name: str) -> Executable | None:
        """Return the living free task of that name."""
        reference = self.tasks.get(name)
        return None if reference is None else reference()

    def living(self) -> list[Executable]:
        """Return all living free tasks, oldest first."""
        found = []
        for name, reference in list(self.tasks.items()):
            task = reference()
            if task is None:
                del self.tasks[name]
            else:
                found.append(task)
        return found


_free_tasks: dict[int, FreeTasks] = {}


def current() -> WorkflowContext | None:
    """Return the workflow that is current here; in a worker, the one that is current where the run was started."""
    found = current_workflow.get()
    if found is None and running.task_context is not None:
        found = running.task_context.execution_context.workflow_around()
    return found


def make_current(workflow: WorkflowContext | None) -> None:
    """Make a workflow the current one from now on."""
    current_workflow.set(workflow)


def defining_workflow() -> WorkflowContext | None:
    """Return the workflow that definitions belong to now; None outside of one, and in a running task's body."""
    return None if running.task_context is not None else current_workflow.get()


def free_tasks_of(module_globals: dict[str, Any]) -> FreeTasks:
    """Return the free tasks of the module with these globals."""
    return _free_tasks.setdefault(id(module_globals), FreeTasks())


def calling_globals() -> dict[str, Any]:
    """Return the globals of the nearest caller outside this package."""
    module_globals: dict[str, Any] = calling_frame().f_globals
    return module_globals


def calling_frame() -> Any:
    """Return the frame of the nearest caller outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] == "graflow_fast":
        frame = frame.f_back
    return frame


def register(task: Executable) -> None:
    """Put a new task into the workflow being defined, else among the free tasks of its module."""
    if running.task_context is not None:
        return
    workflow = current_workflow.get()
    if workflow is not None:
        attach(task, workflow)
    elif not task.is_group:
        func = getattr(getattr(task, "_definition", None), "func", None)
        module_globals = getattr(func, "__globals__", None)
        free_tasks_of(module_globals if module_globals is not None else calling_globals()).add(task)


def attach(task: Executable, workflow: WorkflowContext, *, skip_if_exists: bool = False) -> None:
    """Make a task a node of a workflow, with all that hangs on it by free edges.

    Raises:
        DuplicateTaskError: another task has its name there, unless ``skip_if_exists`` is true.
    """
    graph = workflow.graph
    if task._links is None and not (task.is_group or task.is_map):  # of these there may be a million
        if task._owner is not graph:
            if graph._tasks.get(task.task_id) is not task:
                graph.add_node(task, skip_if_exists=skip_if_exists)
            task._owner = graph
        return
    component = linked_component(task)
    for member in component:
        if member._owner is graph:
            continue
        if member.provisional_name:
            member.provisional_name = False
            member._task_id = workflow.get_next_group_name()  # type: ignore[attr-defined]
        taken = graph.nodes.get(member.task_id)
        if member.is_map and taken is not None and taken["task"] is not member:
            member.rename_if_taken(graph.nodes)  # type: ignore[attr-defined]
        if graph._tasks.get(member.task_id) is not member:
            graph.add_node(member, member.task_id, skip_if_exists=skip_if_exists)
        member._owner = graph
    add_free_edges(component, graph.add_edge)


def linked_component(task: Executable) -> list[Executable]:
    """Return the task and all that is connected to it by free edges or group membership, in a stable order."""
    if task._links is None and not task.is_group:
        return [task]
    seen: dict[int, Executable] = {}
    stack = [task]
    while stack:
        found = stack.pop()
        if id(found) in seen:
            continue
        seen[id(found)] = found
        links = found._links
        neighbours = [] if links is None else [*links.predecessors, *links.successors]
        if found.is_group:
            # Members without edges of their own stay inside the group; those with a chain bring it along.
            neighbours += [member for member in found.tasks if member._links is not None or member.is_group]  # type: ignore[attr-defined]
        stack.extend(reversed(neighbours))
    return list(seen.values())


def add_free_edges(component: list[Executable], add_edge: Any) -> None:
    """Hand the free edges among these tasks to ``add_edge(from_id, to_id)``, in the order they were made."""
    for task in component:
        if task._links is not None:
            for successor in task._links.successors:
                add_edge(task.task_id, successor.task_id)


def connect(source: Executable, target: Executable) -> None:
    """Make the edge ``source >> target``: in the workflow being defined, else between the two free tasks."""
    workflow = defining_workflow()
    if workflow is not None:
        _use(source, workflow)
        _use(target, workflow)
        workflow.add_edge(source.task_id, target.task_id)
        return
    for task in (source, target):
        if task._links is None:
            task._links = Links()
    assert source._links is not None
    assert target._links is not None
    if target not in source._links.successors:
        source._links.successors.append(target)
        target._links.predecessors.append(source)
    owner = source._owner if source._owner is target._owner else None
    if owner is not None and running.task_context is None:
        owner.add_edge(source.task_id, target.task_id)


def _use(task: Executable, workflow: WorkflowContext) -> None:
    if task._owner is not workflow.graph:
        attach(task, workflow, skip_if_exists=True)


def member_added(group: ParallelGroup, member: Executable) -> None:
    """Tell the workflow of a group about a member that may bring a chain along."""
    workflow = defining_workflow()
    if workflow is not None and group._owner is workflow.graph and (member._links is not None or member.is_group):
        _use(member, workflow)


def unregister(group: ParallelGroup) -> None:
    """Take a group that was merged into another one out of its workflow."""
    if group._owner is not None:
        group._owner.remove_node(group.task_id)
        group._owner = None


def rename(group: ParallelGroup, name: str) -> None:
    """Rename a group in its workflow's graph, if it is in one."""
    if group._owner is not None:
        group._owner.rename_node(group.task_id, name)


def successors_of(group: Executable) -> bool:
    """Say whether anything follows the group yet."""
    if group._links is not None and group._links.successors:
        return True
    return group._owner is not None and bool(group._owner.successors(group.task_id))


def next_group_name() -> tuple[str, bool]:
    """Return the name of the next unnamed group made here, and whether it holds only until it joins a workflow."""
    context = running.task_context
    if context is not None:
        return context.next_group_name(), False
    workflow = current_workflow.get()
    if workflow is not None:
        return workflow.get_next_group_name(), False
    free = free_tasks_of(calling_globals())
    free.group_count += 1
    return f"ParallelGroup_{free.group_count}", True
