"""Bodies in a worker: what is known of each definition, and the context that a body sees.

A body pays only for what it uses: its view of the run is made when it first asks for it. Must not know leases or
reports.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._run import crossing
from graflow_fast._run.arguments import NOTHING, fill_arguments, fill_from_previous
from graflow_fast._worker.remote import WorkerContext, live_epoch
from graflow_fast.core.task_context import TaskExecutionContext, iteration_id

if TYPE_CHECKING:
    from graflow_fast._worker.loop import Worker
    from graflow_fast._worker.mutations import Watch
    from graflow_fast.core.definition import Definition, Parameter

_ABSENT: Any = object()


class Body:
    """What this process knows of one definition.

    Attributes:
        watch: the variables that the function could change of what it captured, None when there are none.
        fillable: the names of the parameters that a run may fill.
    """

    __slots__ = ("definition", "fillable", "func", "inject", "look_up", "parameters", "watch")

    def __init__(self, definition: Definition, watch: Watch | None) -> None:
        self.definition = definition
        self.func = definition.func
        self.inject = definition.inject_context
        self.look_up = definition.resolve_keyword_args
        self.parameters = definition.parameters
        self.fillable = frozenset(parameter.name for parameter in definition.parameters)
        self.watch = watch

    def arguments(self, context: BodyContext, arguments: dict[str, Any], positional: int) -> dict[str, Any]:
        """Return the keyword arguments: those bound, and what the run fills in.

        Raises:
            TypeError: a parameter without default stays open.
        """
        extra = context.extra
        previous: Any = NOTHING
        if not positional:
            if arguments.keys() == self.fillable:
                return arguments
            still_open = self._open_parameters(context, arguments)
            if still_open is not None and not still_open:
                return arguments
        else:
            still_open = None
        if extra is not None and "previous" in extra:
            packed = extra["previous"]
            previous = lambda: crossing.loads(packed)  # noqa: E731
        if still_open is not None:
            fill_from_previous(still_open, previous, context.task_id, arguments, self.look_up)
            return arguments
        channel = context.execution_context.channel
        return fill_arguments(self.definition, context.task_id, arguments, channel, previous, positional)

    def _open_parameters(self, context: BodyContext, arguments: dict[str, Any]) -> list[Parameter] | None:
        """Return the parameters that only the task before can fill, None when the channel must be asked."""
        if arguments and not arguments.keys() <= self.fillable:
            return None
        values: dict[str, Any] = {}
        if self.look_up:
            if context.extra is None or "values" not in context.extra or context.has_live_keys():
                return None
            values = context.extra["values"]
        still_open = []
        for parameter in self.parameters:
            if parameter.name in arguments:
                continue
            if self.look_up and (
                values.get(parameter.result_key, _ABSENT) is not None or values.get(parameter.name, _ABSENT) is not None
            ):
                return None
            if parameter.required:
                still_open.append(parameter)
        return still_open


class BodyContext(TaskExecutionContext):
    """The context of a body in a worker.

    Attributes:
        extra: what the coordinator said of this task beyond the plain case, None in the plain case.
    """

    __slots__ = ("_definition", "_made", "_ticket", "_view_key", "_worker", "extra")

    def __init__(
        self,
        worker: Worker,
        ticket: int,
        task_id: str,
        view_key: int,
        definition: Definition | None,
        extra: dict[str, Any] | None,
    ) -> None:
        # Deliberately without the base's constructor: the execution context is made later, if at all.
        self.task_id = task_id
        self.start_time = time.time()
        self.directives = None
        self.extra = extra
        self._local_data = None
        self._groups_made = 0
        self._worker = worker
        self._ticket = ticket
        self._view_key = view_key
        self._definition = definition
        self._made: WorkerContext | None = None
        self._base_task_id: str = task_id if extra is None else extra.get("base", task_id)

    @property
    def execution_context(self) -> Any:
        """The run as this body sees it."""
        made = self._made
        if made is None:
            worker = self._worker
            view = worker.views.get(self._view_key) or worker.view(self._view_key)
            made = self._made = WorkerContext(
                worker.link, self._ticket, view, self._definition, self.task_id, self.extra
            )
            made.current_task_context = self
        return made

    def __reduce__(self) -> Any:
        return self.execution_context.__reduce__()  # which says that it can't be sent

    def writes(self) -> list[Any] | None:
        """Return the log of what the body wrote, None when it never looked at the run."""
        return None if self._made is None else self._made.writes()

    @property
    def holds_lock(self) -> bool:
        """Whether the body has left a lock of the channel locked."""
        return self._made is not None and self._made.holds_lock

    def has_live_keys(self) -> bool:
        """Say whether any key of the channel is read through to the coordinator."""
        return live_epoch(self._worker.link) != 0

    # The same as in the base, without counters being made for one question.

    @property
    def cycle_count(self) -> int:
        """How often this task has started in this run or branch, this time included; retries don't count."""
        if self._made is not None:
            return TaskExecutionContext.cycle_count.fget(self)  # type: ignore[attr-defined, no-any-return]
        return 1 if self.extra is None else self.extra.get("cycles", 1)

    def next_iteration(self, data: Any = None) -> str:
        """Run this task again after it returns; see `TaskExecutionContext.next_iteration`."""
        extra = self.extra
        definition = self._definition
        if self._made is None and self.directives is None and extra is not None and definition is not None:
            view = self._worker.views.get(self._view_key)
            if view is not None and not view.shared:
                count = extra.get("cycles", 1)
                limit = definition.max_cycles
                if limit is None and "limits" in extra:
                    limit = extra["limits"].get("max_cycles")
                if count < (view.default_max_cycles if limit is None else limit):
                    name = iteration_id(self._base_task_id, count, 0, view.scope_name)
                    self.directives = [("iterate", name, data)]
                    return name
        return super().next_iteration(data)


# Bodies that show their context, or its type, show the same on every executor.
BodyContext.__name__ = TaskExecutionContext.__name__
BodyContext.__qualname__ = TaskExecutionContext.__qualname__
BodyContext.__module__ = TaskExecutionContext.__module__
