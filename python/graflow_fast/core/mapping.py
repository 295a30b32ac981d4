"""`task.map(items)`: one node of the graph that runs a task once for every item. Owns its options, name and items.

How the items are spread over workers is `graflow_fast._run.maps`'s.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graflow_fast._hints import did_you_mean
from graflow_fast.core import registry
from graflow_fast.core._execution import update_execution
from graflow_fast.core.definition import whole
from graflow_fast.core.spread import POSITIONAL, Spread, arguments_of, spread_items
from graflow_fast.core.task import Executable, TaskWrapper, _rebuild_task
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError, GraphCompilationError

if TYPE_CHECKING:
    from graflow_fast.coordination.backend import CoordinationBackend
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.group_policy import GroupExecutionPolicy
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
        on_error: what becomes of items that fail for good: "raise", "keep", "skip"; None: what the policy says.
        spread: how an item becomes arguments: None (it is the first open one), `spread.POSITIONAL`, or their names.
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
        on_error: str | None = None,
        spread: str | tuple[str, ...] | None = None,
        task_id: str | None = None,
    ) -> None:
        try:
            chunk = whole(chunk, "chunk", lowest=1)
        except ConfigError:
            raise ConfigError(
                f"Task '{task.task_id}': map(chunk={chunk!r}) must be a positive whole number of items"
            ) from None
        if on_error not in (None, "raise", "keep", "skip"):
            raise ConfigError(
                f"Task '{task.task_id}': map(on_error={on_error!r}) must be 'raise', 'keep' (the exception stands in "
                "the item's place) or 'skip' (the item is left out)"
            )
        for items_of_one in items.sources if isinstance(items, Spread) else (items,):
            if isinstance(items_of_one, (Executable, str, _Previous)):
                continue
            try:
                iter(items_of_one)
            except TypeError:
                raise TypeError(
                    f"Task '{task.task_id}': map() takes an iterable, a task or the name of one, "
                    f"not {type(items_of_one).__name__}"
                ) from None
        if task_id is not None and not isinstance(task_id, str):
            raise TypeError(f"task_id must be a str, not {type(task_id).__name__} ({task_id!r})")
        self.task = task
        self.items = items.task_id if isinstance(items, Executable) else items
        self.ordered = ordered
        self.chunk = chunk
        self.fail_fast = fail_fast
        self.on_error = on_error
        self.spread = spread
        self._execution_config: dict[str, Any] = {"backend": None, "backend_config": {}, "policy": "strict"}
        #: Whether the name may still change when the map joins a graph in which it is taken.
        self.provisional_map_name = task_id is None
        self._used_up: Any = None
        registry.note_use(task)
        self._task_id = task_id if task_id is not None else _unused_name(task.task_id)
        registry.register(self)

    @property
    def task_id(self) -> str:
        """The name: ``<task>_map`` (``_map_2``, ... where that is taken) unless given."""
        return self._task_id

    @property
    def has_own_items(self) -> bool:
        """Whether the items were given to it, so they are not another task's result."""
        if isinstance(self.items, Spread):
            return not self.items.needs_results
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
        for once in items.iterators() if isinstance(items, Spread) else (items,) if iterator is items else ():
            if self._used_up is once:
                raise GraflowRuntimeError(
                    f"The items of map '{self.task_id}' are an iterator that an earlier run has used up; "
                    "pass something that can be iterated over again, such as a list"
                )
            self._used_up = once
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
        spread = self.spread
        if spread is None:
            return [self.task.run(item, **kwargs) for item in iterator]
        known = [parameter.name for parameter in self.task._definition.parameters]
        names = [name for name in known if name not in kwargs and name not in self.task._bound_kwargs]
        return [self.task.run(**arguments_of(item, spread, names), **kwargs) for item in iterator]

    def __call__(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Run as `run` does."""
        return self.run(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_used_up": None}

    def __repr__(self) -> str:
        return f"MapTask({self.task_id})"


def mapped(
    task: TaskWrapper,
    items: Any,
    more: tuple[Any, ...],
    zipped: Mapping[str, Any] | None,
    product: Mapping[str, Any] | None,
    bound: dict[str, Any],
    options: dict[str, Any],
) -> MapTask:
    """Return the map that `TaskWrapper.map` or `TaskWrapper.starmap` was asked for.

    Raises:
        TypeError: the items are given in two ways, or an argument that the body doesn't have.
        ConfigError: an option has a value that it can't have.
    """
    registry.note_use(task)
    given = None if items is ... else items
    found, spread = spread_items(given, more, zipped, product)
    if options.pop("spreads", False):
        spread = POSITIONAL
    known = [parameter.name for parameter in task._definition.parameters]
    if more and known:
        open_names = [name for name in known if name not in bound and name not in task._bound_kwargs]
        if len(open_names) <= len(more):
            raise TypeError(
                f"Task '{task.task_id}': map() got {len(more) + 1} iterables for {len(open_names)} open parameters"
                + (f" ({', '.join(open_names)})" if open_names else "")
            )
        spread = tuple(open_names[: len(more) + 1])
    names = (*bound, *(spread if type(spread) is tuple else ()))
    for name in names:
        if name not in known and not task._definition.takes_any:
            what = f"Task '{task.task_id}' has no parameter '{name}', and map() has no option of that name."
            raise TypeError(f"{what} {did_you_mean(name, [*known, *_OPTIONS])}".rstrip())
    if bound:
        task = _rebuild_task(task.task_id, task._definition, {**task._bound_kwargs, **bound}, {})
    return MapTask(task, PREVIOUS if found is None else found, spread=spread, **options)


_OPTIONS = ("zip", "product", "ordered", "chunk", "fail_fast", "on_error", "task_id")


def stream_results(
    workflow: WorkflowContext, start_node: str | None, options: dict[str, Any]
) -> Generator[Any, None, None]:
    """Run a workflow and yield the results of its last map as they come; closing the generator stops the run.

    Raises:
        GraphCompilationError: the workflow has no map.
    """
    return prepared_stream(workflow, start_node, options)[1]


def prepared_stream(
    workflow: WorkflowContext, start_node: str | None, options: dict[str, Any]
) -> tuple[ExecutionContext, Generator[Any, None, None]]:
    """Return the context of a run, and what runs it and yields the results of the workflow's last map as they come.

    Raises:
        GraphCompilationError: the workflow has no map.
    """
    max_steps = options.pop("max_steps", None)
    initial_channel = options.pop("initial_channel", None)
    last = _last_map(workflow)
    context = workflow._prepare(start_node, max_steps, initial_channel, workflow.settings.merged(options))
    return context, _drive(context, last)


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


__all__ = ["PREVIOUS", "MapTask", "mapped", "stream_results"]
