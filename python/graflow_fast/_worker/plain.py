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

    from graflow_fast._worker.bodies import BodyContext
    from graflow_fast._worker.loop import Worker
    from graflow_fast._worker.view import View
    from graflow_fast.core.definition import Definition

    #: The channel's values (None: each task sees others), and what makes the general context of a body:
    #: ``(ticket, task id, start) -> context``.
    Sees = tuple[dict[str, bytes | None] | None, Callable[[int, str, float], BodyContext]]

    #: A function, the names that may be bound (None: any), those that must be and whether that is final, and what the
    #: body sees if it takes the context.
    PlainBody = tuple[Callable[..., Any], frozenset[str] | None, list[str], bool, Sees | None]

_UNKNOWN = b"?"


class PlainTasks:
    """Answers the link's questions about plain tasks.

    Attributes:
        pieces: what the running body has printed; keys: definition -> key.
        running: where this thread's running task is noted, and ``marker`` what stands there while plain bodies run.
    """

    dumps = staticmethod(crossing.dumps)
    pieces = output.pieces
    running = running

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.keys = worker.keys
        self.marker = RunningPlainTask(worker)

    def install(self) -> None:
        """Let the link run plain tasks from now on."""
        self._worker.link.run_plain_tasks(self)

    def classes(self) -> tuple[type, type, type, Callable[[bytes], Any]]:
        """Return the classes of plain tasks, of contexts and of channels, and what loads values."""
        from graflow_fast._run.scope import BranchChannel
        from graflow_fast.core.task import TaskWrapper
        from graflow_fast.core.task_context import TaskExecutionContext

        return TaskWrapper, TaskExecutionContext, BranchChannel, crossing.loads

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
        sees: Sees | None = None
        if definition.inject_context:
            from graflow_fast._worker.bodies import BodyContext

            def make_context(ticket: int, task_id: str, started: float) -> BodyContext:
                made = BodyContext(worker, ticket, task_id, view_key, definition, None)
                made.start_time = started
                return made

            sees = view.values if view.shared else None, make_context
        return definition.func, names, *required, sees

    def effects_of(self, context: BodyContext) -> bytes | bool | None:
        """Return the record of what a body did, None when it did nothing, False when that has no short form."""
        log, directives = context.writes(), context.directives
        if not log and directives is None:
            return None
        if context.holds_lock:
            return False
        from graflow_fast._core import pack_effects
        from graflow_fast.core.task import TaskWrapper

        try:
            record = pack_effects(log, directives, TaskWrapper, self.keys, crossing.dumps)
        except Exception:
            return False  # the loop says what can't be packed
        return False if record is None else record

    def _required(self, definition: Definition, view: View) -> tuple[list[str], bool] | None:
        """Return the names that must be bound, since the channel has a value for them, or there is no default.

        With it: whether that is final. Else the channel may have no value, which the first task to look will find out.
        """
        if not definition.resolve_keyword_args:
            return [parameter.name for parameter in definition.parameters if parameter.required], True
        if not view.shared:  # each task sees other values, and these have not been sent
            return [parameter.name for parameter in definition.parameters], True
        if definition.parameters and self._worker.link.live_epoch():
            return None
        required = []
        is_final = True
        for parameter in definition.parameters:
            found = [view.values.get(key, _UNKNOWN) for key in (parameter.result_key, parameter.name)]
            if parameter.required or found != [None, None]:
                required.append(parameter.name)
                is_final = is_final and (parameter.required or _UNKNOWN not in found)
        return required, is_final

    def finish(
        self,
        ticket: int,
        task_id: str,
        result: Any,
        error: BaseException | None,
        context: BodyContext | None,
    ) -> None:
        """Report a plain task that printed something, did what has no short form, or ended with an exception."""
        tasks = self._worker.tasks()
        from graflow_fast._worker import effects

        if surroundings.changed:
            surroundings.restore()
        try:
            if error is None:
                packed = crossing.NONE_BYTES if result is None else effects.pack_result(task_id, result)
                parts = tasks.parts(task_id, context, None if context is None else context.directives, True)
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

    def _context(self) -> Any:
        found = self._running.context
        if found is not None:
            return found
        if self._ticket != self._running.ticket:
            BodyContext = import_late("graflow_fast._worker.bodies").BodyContext
            object.__setattr__(self, "_ticket", self._running.ticket)
            running = self._running
            made = BodyContext(self._worker, running.ticket, running.name, running.view, None, None)
            object.__setattr__(self, "_made", made)
        return self._made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._context(), name, value)
