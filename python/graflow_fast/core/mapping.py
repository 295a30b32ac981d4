"""`task.map(items)`: one node of the graph that runs a task once for every item. Owns its options, name and items.

How the items are spread over workers is `graflow_fast._run.maps`'s.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from graflow_fast.core import registry
from graflow_fast.core._execution import update_execution
from graflow_fast.core.task import Executable, TaskWrapper
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError, GraphCompilationError

if TYPE_CHECKING:
    from graflow_fast.coordination.coordinator import CoordinationBackend
    from graflow_fast.core.handlers.group_policy import GroupExecutionPolicy
    from graflow_fast.core.workflow import WorkflowContext


class _Previous:
    """Stands for "the value that the task before returned"."""

    def __repr__(self) -> str:
        return "<the value of the task before>"

    def __reduce__(self) -> str:
        return "PREVIOUS"


PREVIOUS: Any = _Previous()


class MapTask(Executable):
    """A task run once for every item; its result is the list of theirs.

    Attributes:
        task: what runs for each item.
        items: an iterable; or a task or the name of one, whose result is iterated over; or `PREVIOUS`.
        ordered: whether results are in the order of the items, else in the order of completion.
        chunk: how many items travel at once; None: as many as take some milliseconds.
        fail_fast: whether nothing after the first item that fails (in item order) counts any more.
    """

    is_map = True

    def __init__(
        self,
        task: TaskWrapper,
        items: Any = PREVIOUS,
        *,
        ordered: bool = True,
        chunk: int | None = None,
        fail_fast: bool = False,
        task_id: str | None = None,
    ) -> None:
        if chunk is not None and (not isinstance(chunk, int) or chunk < 1):
            raise ConfigError(f"Task '{task.task_id}': map(chunk={chunk!r}) must be a positive whole number of items")
        if not isinstance(items, (Executable, str, _Previous)):
            try:
                iter(items)
            except TypeError:
                raise TypeError(
                    f"Task '{task.task_id}': map() takes an iterable, a task or the name of one, "
                    f"not {type(items).__name__}"
                ) from None
        if task_id is not None and not isinstance(task_id, str):
            raise TypeError(f"task_id must be a str, not {type(task_id).__name__} ({task_id!r})")
        self.task = task
        self.items = items.task_id if isinstance(items, Executable) else items
        self.ordered = ordered
        self.chunk = chunk
        self.fail_fast = fail_fast
        self._execution_config: dict[str, Any] = {"backend": None, "backend_config": {}, "policy": "strict"}
        #: Whether the name may still change when the map joins a graph in which it is taken.
        self.provisional_map_name = task_id is None
        self._used_up: Any = None
        task.is_template = True
        self._task_id = task_id if task_id is not None else _unused_name(task.task_id)
        registry.register(self)

    @property
    def task_id(self) -> str:
        """The name: ``<task>_map`` (``_map_2``, ... where that is taken) unless given."""
        return self._task_id

    @property
    def has_own_items(self) -> bool:
        """Whether the items were given to it, so they are not another task's result."""
        return not isinstance(self.items, (str, _Previous))

    @property
    def handler_type(self) -> str:
        """The handler that the task asked for."""
        return self.task.handler_type

    @handler_type.setter
    def handler_type(self, name: str) -> None:
        self.task.handler_type = name

    def rename_if_taken(self, taken: Any) -> None:
        """Take a free name if this one is in ``taken`` and was not given by the user."""
        if self.provisional_map_name and self._task_id in taken:
            self._task_id = _numbered(self._task_id, taken)

    def with_execution(
        self,
        backend: CoordinationBackend | None = None,
        backend_config: dict[str, Any] | None = None,
        policy: str | GroupExecutionPolicy = "strict",
    ) -> MapTask:
        """Say where the items run and what counts as success, as for a parallel group; returns the map.

        With a policy that lets items fail (``"best_effort"``, ...) the exception stands in the failed item's place.

        Raises:
            ConfigError: the backend is REDIS.
        """
        update_execution(self._execution_config, f"Map '{self.task_id}'", backend, backend_config, policy)
        return self

    def open_items(self, value: Any) -> tuple[Iterator[Any], int | None]:
        """Return an iterator over the items (``value`` when they are another task's result) and their number if known.

        Raises:
            GraflowRuntimeError: they can't be iterated over, or an earlier run has used them up.
        """
        items = self.items if self.has_own_items else value
        try:
            iterator = iter(items)
        except TypeError:
            whose = f"task '{self.items}'" if isinstance(self.items, str) else "the task before"
            raise GraflowRuntimeError(
                f"Map '{self.task_id}' takes its items from {whose}, which returned a {type(items).__name__}: "
                "that can't be iterated over"
            ) from None
        if iterator is items:
            if self._used_up is items:
                raise GraflowRuntimeError(
                    f"The items of map '{self.task_id}' are an iterator that an earlier run has used up; "
                    "pass something that can be iterated over again, such as a list"
                )
            self._used_up = items
        try:
            size = len(items)
        except TypeError:
            size = None
        return iterator, size

    def run(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Run the task for each item here and now, one after the other; for unit tests."""
        value = args[0] if args else None
        if not self.has_own_items and not args:
            raise GraflowRuntimeError(f"Map '{self.task_id}' has no items of its own; pass them: run(items)")
        iterator, _ = self.open_items(value)
        if self._execution_context is not None:
            self.task.set_execution_context(self._execution_context)
        return [self.task.run(item, **kwargs) for item in iterator]

    def __call__(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Run as `run` does."""
        return self.run(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_used_up": None}

    def __repr__(self) -> str:
        return f"MapTask({self.task_id})"


def stream_results(workflow: WorkflowContext, start_node: str | None, options: dict[str, Any]) -> Iterator[Any]:
    """Run a workflow and yield the results of its last map as they come; closing the generator stops the run.

    Raises:
        GraphCompilationError: the workflow has no map.
    """
    max_steps = options.pop("max_steps", None)
    initial_channel = options.pop("initial_channel", None)
    last = _last_map(workflow)
    context = workflow._prepare(start_node, max_steps, initial_channel, workflow.settings.merged(options))
    return _drive(context, last)


def _drive(context: Any, last: MapTask) -> Generator[Any, None, None]:
    from graflow_fast.core.engine import WorkflowEngine

    yield from WorkflowEngine().stream(context, last)


def _last_map(workflow: WorkflowContext) -> MapTask:
    tasks: list[Any] = [task["task"] for task in workflow.graph.nodes.values()]
    tasks += [member for group in workflow.graph.groups() for member in group.tasks]
    maps = [task for task in tasks if isinstance(task, MapTask)]
    if not maps:
        raise GraphCompilationError(
            f"Workflow '{workflow.name}' has no map to stream the results of: there must be a task.map(items) in it"
        )
    names = {task.task_id for task in maps}
    ends = [task for task in maps if not _reaches(workflow, task.task_id, names)]
    return (ends or maps)[-1]


def _reaches(workflow: WorkflowContext, name: str, names: set[str]) -> bool:
    seen: set[str] = set()
    todo = workflow.graph.successors(name)
    while todo:
        found = todo.pop()
        if found in names and found != name:
            return True
        if found not in seen:
            seen.add(found)
            todo.extend(workflow.graph.successors(found))
    return False


def _unused_name(task_id: str) -> str:
    name = f"{task_id}_map"
    running = registry.running.task_context
    if running is not None:
        made = running.local_names = getattr(running, "local_names", {})
        made[name] = serial = made.get(name, 0) + 1
        return f"{running.task_id}.{name}" if serial == 1 else f"{running.task_id}.{name}_{serial}"
    workflow = registry.defining_workflow()
    return name if workflow is None else _numbered(name, workflow.graph.nodes)


def _numbered(name: str, taken: Any) -> str:
    found, serial = name, 1
    while found in taken:
        serial += 1
        found = f"{name}_{serial}"
    return found


__all__ = ["PREVIOUS", "MapTask", "stream_results"]
