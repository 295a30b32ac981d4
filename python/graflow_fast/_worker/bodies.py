"""The full context of a body in a worker, made when the short one (`rust/python/src/worker/context.rs`) is not enough.

A body pays only for what it uses: its view of the run is made when it first asks for it. Must not know reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._worker.remote import WorkerContext
from graflow_fast._worker.remote_channel import making
from graflow_fast.core.task_context import TaskExecutionContext

if TYPE_CHECKING:
    from graflow_fast._worker.loop import Worker
    from graflow_fast.core.definition import Definition


class BodyContext(TaskExecutionContext):
    """The context of a body in a worker.

    Attributes:
        told: what the coordinator said of this task beyond the usual, None for nothing.
    """

    __slots__ = ("_definition", "_made", "_ticket", "_view_key", "_worker", "told")

    def __init__(
        self,
        worker: Worker,
        ticket: int,
        task_id: str,
        started: float,
        view_key: int,
        definition: Definition,
        told: dict[str, Any] | None,
    ) -> None:
        # Deliberately without the base's constructor: the execution context is made later, if at all.
        self.task_id = task_id
        self.start_time = started
        self.directives = None
        self.told = told
        self._local_data = None
        self._groups_made = 0
        self._worker = worker
        self._ticket = ticket
        self._view_key = view_key
        self._definition = definition
        self._made: WorkerContext | None = None
        self._base_task_id: str = task_id if told is None else told.get("base", task_id)

    @property
    def execution_context(self) -> Any:
        """The run as this body sees it."""
        made = self._made
        return self._make() if made is None else made

    def _make(self) -> WorkerContext:
        with making:  # threads of one body get the same
            if self._made is None:
                worker = self._worker
                view = worker.views.get(self._view_key) or worker.view(self._view_key)
                made = WorkerContext(worker.link, self._ticket, view, self._definition, self.task_id, self.told)
                running = worker.running
                shown = running.context if running.ticket == self._ticket else None
                made.current_task_context = self if shown is None else shown
                self._made = made
            return self._made

    def let_go(self) -> None:
        """Note that the body has ended: the run shows this context from now on, no other."""
        if self._made is not None:
            self._made.current_task_context = self

    def __reduce__(self) -> Any:
        return self.execution_context.__reduce__()  # which says that it can't be sent

    def writes(self) -> list[Any] | None:
        """Return the log of what the body wrote, None when it never looked at the run."""
        return None if self._made is None else self._made.writes()

    # The same as in the base, without counters being made for one question.

    @property
    def cycle_count(self) -> int:
        """How often this task has started in this run or branch, this time included; retries don't count."""
        if self._made is not None:
            return TaskExecutionContext.cycle_count.fget(self)  # type: ignore[attr-defined, no-any-return]
        return 1 if self.told is None else int(self.told.get("cycles", 1))


# Bodies that show their context, or its type, show the same on every executor.
BodyContext.__name__ = TaskExecutionContext.__name__
BodyContext.__qualname__ = TaskExecutionContext.__qualname__
BodyContext.__module__ = TaskExecutionContext.__module__
