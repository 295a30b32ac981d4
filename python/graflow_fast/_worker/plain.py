"""What the link must know to run plain tasks itself: which bodies are plain, and what to do when a task ends otherwise.

Owns the judgement that a body takes nothing but what is bound and, perhaps, the context. How tasks arrive, run and are
reported is the link's.
"""

from __future__ import annotations

from graflow_fast._run import crossing
from graflow_fast._worker import output, surroundings
from graflow_fast._worker.imports import import_late
from graflow_fast.core.running import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from graflow_fast._worker.loop import Worker
    from graflow_fast._worker.view import View
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.task_context import TaskExecutionContext

    #: A function, the names that may be bound (None: any), those that must be, and what makes its context, if any.
    PlainBody = tuple[Callable[..., Any], frozenset[str] | None, list[str], Callable[[int, str], Any] | None]


class PlainTasks:
    """Answers the link's questions about plain tasks."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def install(self) -> None:
        """Let the link run plain tasks from now on."""
        link = self._worker.link
        marker = RunningPlainTask(self._worker)
        link.run_plain_tasks(self.body_of, self.finish, self.effects_of, output.pieces, running, marker)

    def body_of(self, key: int, view_key: int) -> PlainBody | None:
        """Return how to run the tasks of a definition that see a view; None when they are not plain."""
        worker = self._worker
        try:
            definition = worker.definition(key)
            view = worker.views.get(view_key) or worker.view(view_key)
        except BaseException:
            return None  # the task says so, when it is run the general way
        if worker.watches[key] is not None:
            return None
        required = self._required(definition, view)
        if required is None:
            return None
        names = None if definition.takes_any else frozenset(parameter.name for parameter in definition.parameters)
        make_context: Any = None
        if definition.inject_context:
            from graflow_fast._worker.remote import WorkerContext
            from graflow_fast.core.task_context import TaskExecutionContext

            link = worker.link

            def make_context(ticket: int, task_id: str) -> TaskExecutionContext:
                context = WorkerContext(link, ticket, view, definition, task_id, None)
                made = context.current_task_context = TaskExecutionContext(task_id, context)
                return made

        return definition.func, names, required, make_context

    def effects_of(self, task_context: TaskExecutionContext) -> bytes | bool | None:
        """Return the record of what a body did, None when it did nothing, False when that has no short form."""
        context = task_context.execution_context
        log, directives = context.writes(), task_context.directives
        if not log and directives is None:
            return None
        if context.holds_lock:
            return False
        from graflow_fast._core import pack_effects
        from graflow_fast.core.task import TaskWrapper

        try:
            record = pack_effects(log, directives, TaskWrapper, self._worker.keys, crossing.dumps)
        except Exception:
            return False  # the loop says what can't be packed
        return False if record is None else record

    def _required(self, definition: Definition, view: View) -> list[str] | None:
        """Return the names that must be bound, since the channel has a value for them, or there is no default."""
        if not definition.resolve_keyword_args:
            return [parameter.name for parameter in definition.parameters if parameter.required]
        if not view.shared:  # each task sees other values, and these have not been sent
            return [parameter.name for parameter in definition.parameters]
        if definition.parameters and self._worker.link.live_epoch():
            return None
        required = []
        for parameter in definition.parameters:
            keys = (parameter.result_key, parameter.name)
            if parameter.required or any(view.values.get(key, b"?") is not None for key in keys):
                required.append(parameter.name)
        return required

    def finish(
        self,
        ticket: int,
        task_id: str,
        result: Any,
        error: BaseException | None,
        task_context: TaskExecutionContext | None,
    ) -> None:
        """Report a plain task that printed something, did what has no short form, or ended with an exception."""
        tasks = self._worker.tasks()
        from graflow_fast._worker import effects

        context = None if task_context is None else task_context.execution_context
        if surroundings.changed:
            surroundings.restore()
        try:
            if error is None:
                packed = crossing.NONE_BYTES if result is None else effects.pack_result(task_id, result)
                parts = tasks.parts(task_id, context, None if task_context is None else task_context.directives, True)
                tasks.report(ticket, task_id, effects.flags_of(parts), packed, parts)
                return
        except BaseException as unpackable:
            error = unpackable
        parts = tasks.parts_of_failure(task_id, context, error)
        tasks.report(ticket, task_id, effects.FAILED | effects.EFFECTS, crossing.NONE_BYTES, parts)


class RunningPlainTask:
    """Stands for the context of whichever plain task is running; one is made only when it is asked for."""

    __slots__ = ("_made", "_running", "_ticket", "_worker")

    def __init__(self, worker: Worker) -> None:
        object.__setattr__(self, "_worker", worker)
        object.__setattr__(self, "_running", worker.link.running)
        object.__setattr__(self, "_ticket", 0)
        object.__setattr__(self, "_made", None)

    def _context(self) -> TaskExecutionContext:
        if self._ticket != self._running.ticket:
            BodyContext = import_late("graflow_fast._worker.bodies").BodyContext
            object.__setattr__(self, "_ticket", self._running.ticket)
            running = self._running
            made = BodyContext(self._worker, running.ticket, running.name, running.view, None, None)
            object.__setattr__(self, "_made", made)
        return self._made  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._context(), name, value)
