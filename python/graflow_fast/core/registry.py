"""Where a new task belongs: to the workflow being defined, or to none yet.

Owns the current workflow of a thread of control, the edges between tasks that belong to no workflow ("free" tasks), and
the free tasks of each module. Knows workflows only as objects with a ``graph``; nothing of runs but whether one is
executing a body here. The plain cases of `register` and `connect` are also in Rust (`rust/python/src/language`).
"""

from __future__ import annotations

import contextvars
import sys
from _weakref import ref

from graflow_fast.core.running import running as running

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

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


class BodyLinks:
    """The free edges that one running body has made. They are the body's alone: its tasks may be anybody's."""

    def __init__(self) -> None:
        self._links: dict[int, Links] = {}
        #: The tasks by identity, which must not pass to others.
        self._tasks: dict[int, Executable] = {}

    def of(self, task: Executable) -> Links | None:
        """Return the neighbours that the body has given a task."""
        return self._links.get(id(task))

    def for_change(self, task: Executable) -> Links:
        """Return the neighbours of a task, for adding some."""
        self._tasks[id(task)] = task
        return self._links.setdefault(id(task), Links())


class FreeTasks:
    """The free tasks of one module, by name; they don't keep the tasks alive."""

    def __init__(self) -> None:
        self.tasks: dict[str, ref[Executable]] = {}
        self.group_count = 0

    def add(self, task: Executable) -> None:
        """Remember a task; a later one of the same name replaces an earlier one."""
        self.tasks[task.task_id] = ref(task)

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

    def __reduce__(self) -> tuple[type[FreeTasks], tuple[()]]:
        # A module that is pickled by value has them in its namespace; they stay where the tasks are.
        return FreeTasks, ()


#: Where a namespace has its free tasks, as it has its `__warningregistry__`: so they live as long as it.
FREE_TASKS = "__graflow_fast_free_tasks__"


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
    found = module_globals.get(FREE_TASKS)
    if type(found) is not FreeTasks:
        found = module_globals[FREE_TASKS] = FreeTasks()
    return found


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


def note_use(template: Executable) -> None:
    """Note that others are made of a task, so that it is no start by itself.

    Not what bodies make: a workflow runs again as it was defined, wherever its bodies have run.
    """
    if running.task_context is None:
        template.is_template = True


def attach(task: Executable, workflow: WorkflowContext, *, skip_if_exists: bool = False) -> None:
    """Make a task a node of a workflow, with all that hangs on it by free edges.

    Raises:
        DuplicateTaskError: another task has its name there, unless ``skip_if_exists`` is true.
    """
    graph = workflow.graph
    if task._links is None and not (task.is_group or task.is_map):  # of these there may be a million
        if task._owner is not graph:
            if graph._table.get(task.task_id) is not task:
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
        if graph._table.get(member.task_id) is not member:
            graph.add_node(member, member.task_id, skip_if_exists=skip_if_exists)
        member._owner = graph
    add_free_edges(component, graph.add_edge)


def linked_component(task: Executable, made: BodyLinks | None = None) -> list[Executable]:
    """Return the task and all that is connected to it by free edges or group membership, in a stable order.

    Args:
        task: where to begin.
        made: the edges of a body, which count as well.
    """
    if not task.is_group and not is_linked(task, made):
        return [task]
    seen: dict[int, Executable] = {}
    stack = [task]
    while stack:
        found = stack.pop()
        if id(found) in seen:
            continue
        seen[id(found)] = found
        both = [links for links in (found._links, None if made is None else made.of(found)) if links is not None]
        neighbours = [other for links in both for other in links.predecessors]
        neighbours += [other for links in both for other in links.successors]
        if found.is_group:
            # Members without edges of their own stay inside the group; those with a chain bring it along.
            neighbours += [member for member in found.tasks if member.is_group or is_linked(member, made)]  # type: ignore[attr-defined]
        stack.extend(reversed(neighbours))
    return list(seen.values())


def is_linked(task: Executable, made: BodyLinks | None = None) -> bool:
    """Say whether free edges hang on a task, also those that a body has made."""
    return task._links is not None or (made is not None and made.of(task) is not None)


def successors_by_free_edges(task: Executable, made: BodyLinks | None = None) -> list[Executable]:
    """Return what follows a task by free edges, also those that a body has made."""
    both = (task._links, None if made is None else made.of(task))
    return [other for links in both if links is not None for other in links.successors]


def add_free_edges(component: list[Executable], add_edge: Any) -> None:
    """Hand the free edges among these tasks to ``add_edge(from_id, to_id)``, in the order they were made."""
    for task in component:
        if task._links is not None:
            for successor in task._links.successors:
                add_edge(task.task_id, successor.task_id)


def connect(source: Executable, target: Executable) -> None:
    """Make the edge ``source >> target``: in the workflow being defined, else between the two free tasks.

    In a running body it is the body's alone, whatever the tasks are.
    """
    workflow = defining_workflow()
    if workflow is not None:
        _use(source, workflow)
        _use(target, workflow)
        workflow.add_edge(source.task_id, target.task_id)
        return
    if running.task_context is not None:
        made = links_of_body()
        _link(source, made.for_change(source), target, made.for_change(target))
        return
    for task in (source, target):
        if task._links is None:
            task._links = Links()
    assert source._links is not None
    assert target._links is not None
    _link(source, source._links, target, target._links)
    owner = source._owner if source._owner is target._owner else None
    if owner is not None:
        owner.add_edge(source.task_id, target.task_id)


def _link(source: Executable, after: Links, target: Executable, before: Links) -> None:
    """Let the two be neighbours, once; one of the two lists is mostly short, also where many edges meet."""
    if len(after.successors) <= len(before.predecessors):
        known = any(other is target for other in after.successors)
    else:
        known = any(other is source for other in before.predecessors)
    if not known:
        after.successors.append(target)
        before.predecessors.append(source)


def links_of_body() -> BodyLinks:
    """Return the free edges that the body running here has made, for adding some."""
    context = running.task_context
    made: BodyLinks | None = getattr(context, "links_made", None)
    if made is None:
        made = context.links_made = BodyLinks()
    return made


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
    made = None if running.task_context is None else links_of_body()
    if successors_by_free_edges(group, made):
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
