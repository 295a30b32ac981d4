"""What a worker's runner (in Rust) does not know or do itself: definitions, full contexts, and what is rare.

A first result waits for what is imported here, so the rest is imported when a task first needs it. Owns neither the
order of things around a body (the runner's) nor what is loaded (the loop's).
"""

from __future__ import annotations

from graflow_fast._core import Filler, pack_failure
from graflow_fast._wire import crossing
from graflow_fast._wire.imports import import_late
from graflow_fast._worker import output, surroundings
from graflow_fast.core.running import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from graflow_fast._core import RunningTask
    from graflow_fast._worker.bodies import BodyContext
    from graflow_fast._worker.loop import Worker
    from graflow_fast._worker.mutations import Watch
    from graflow_fast._worker.view import View
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.task import TaskWrapper


_EFFECTS = "graflow_fast._wire.effects"
#: What tasks are told with a view of which each sees something else: one for all, and never changed.
_NOTHING: dict[str, bytes | None] = {}
_FAILED_WITH_EFFECTS = 3


class Known:
    """What the runner is told of one definition, seen with one view; see `rust/python/src/worker/known.rs`."""

    __slots__ = (
        "default_max_cycles",
        "filler",
        "function",
        "has_streams",
        "inject",
        "max_cycles",
        "scope_name",
        "shared",
        "values",
        "watched",
    )

    def __init__(self, worker: Worker, definition: Definition, view: View, watch: Watch | None) -> None:
        self.function = definition.func
        if definition.cache is not None:
            self.function = cached_body(worker, definition, view.session_id)
        elif definition.is_surrounded:
            self.function = import_late("graflow_fast._body.resources").body_of(definition, view.session_id)
        self.inject = definition.inject_context
        self.filler = Filler.of(definition)
        self.watched = watch is not None
        self.has_streams = watch is not None and watch.has_streams
        self.max_cycles = definition.max_cycles
        self.default_max_cycles = view.default_max_cycles
        self.shared = view.shared
        self.scope_name = view.scope_name
        self.values: dict[str, bytes | None] = view.values if view.shared else _NOTHING


def cached_body(worker: Worker, definition: Definition, session: str) -> Any:
    """Return how to call a body whose results are kept."""
    surroundings = import_late("graflow_fast._worker.cached").InWorker(worker.classes)
    return import_late("graflow_fast._cache.body").body_of(definition, session, surroundings)


class Classes:
    """The classes that a body's context and channel stand for, and the class of tasks."""

    def __init__(self) -> None:
        from graflow_fast._body.scope import BranchChannel
        from graflow_fast.core.task import TaskWrapper
        from graflow_fast.core.task_context import TaskExecutionContext

        self.plain: type = TaskWrapper
        self.context_class: type = TaskExecutionContext
        self.channel_class: type = BranchChannel


class Tasks:
    """Answers the runner's questions.

    Attributes:
        pieces: what the running body has said; mark: stands there when it has changed its surroundings.
        running: where this thread's running task is noted, and ``marker`` what stands there while bodies run.
        keys: definition -> key.
        shares_memory: whether anything here has to do with shared memory yet.
    """

    pieces = output.pieces
    mark = output.MARK
    running = running
    loads = staticmethod(crossing.loads)
    shares_memory = False

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.keys = worker.keys
        self.marker = RunningContext(worker.running)

    # --- what there is to know

    def classes(self) -> Classes:
        """Return the classes that stand-ins stand for."""
        return Classes()

    def known(self, key: int, view_key: int) -> Known:
        """Return what there is to know of a definition and a view.

        Raises:
            BaseException: it can't be loaded; whatever loading it raises.
        """
        worker = self._worker
        view = worker.views.get(view_key) or worker.view(view_key)  # first, since it may call an initializer
        definition = worker.definition(key)
        return Known(worker, definition, view, worker.watches[key])

    def make_context(
        self, ticket: int, task_id: str, started: float, key: int, view_key: int, told: dict[str, Any] | None
    ) -> BodyContext:
        """Return the full context of a running body."""
        worker = self._worker
        context_class = import_late("graflow_fast._worker.bodies").BodyContext
        made: BodyContext = context_class(worker, ticket, task_id, started, view_key, worker.definition(key), told)
        return made

    def load_bound(self, task_id: str, bound: bytes) -> dict[str, Any]:
        """Return the bound arguments of a task.

        Raises:
            TaskSerializationError: they arrived, but one of them can't be loaded here.
        """
        try:
            arguments: dict[str, Any] = crossing.loads(bytes(bound))
        except Exception as error:
            raise import_late("graflow_fast.exceptions").TaskSerializationError(
                task_id, "an argument", "", error
            ) from error
        return arguments

    def begin(self, key: int, view_key: int, task_id: str) -> None:
        """Give a body that captured generators of random numbers a stream of its own."""
        watch = self._worker.watches[key]
        if watch is not None:
            watch.begin(self._worker.views[view_key].seed, task_id)

    # --- after a body

    def complain(self, key: int, task_id: str) -> bool:
        """Warn (or raise) if a body changed what it captured; return whether its definition is to be loaded anew."""
        return bool(import_late("graflow_fast._worker.complaints").complain(self._worker, key, task_id))

    def restore(self) -> None:
        """Undo what a body changed of its surroundings."""
        surroundings.restore()

    def pack_value(self, task_id: str, what: str, key: Any, value: Any) -> bytes:
        """Return a value as bytes; ``what`` it is: a result, a write under ``key``, a key, or an iteration's data.

        Raises:
            TaskSerializationError: it can't be pickled.
        """
        try:
            return crossing.dumps(value)
        except Exception:
            packed: bytes = import_late(_EFFECTS).pack_value(task_id, what, key, value)
            return packed

    def pack_directive(self, task_id: str, directive: tuple[Any, ...]) -> bytes:
        """Return what a body asked for as bytes.

        Raises:
            TaskSerializationError: something in it can't be pickled.
        """
        packed: bytes = import_late(_EFFECTS).pack_directive(task_id, directive)
        return packed

    def pack_task(self, task_id: str, made: TaskWrapper) -> bytes:
        """Return a task that a body made and asked for as bytes.

        Raises:
            TaskSerializationError: something in it can't be pickled.
        """
        packed: bytes = import_late(_EFFECTS).pack_task(task_id, made)
        return packed

    def pack_piece(self, kind: int, content: Any) -> bytes:
        """Return a piece of output that is no plain text as bytes."""
        packed: bytes = import_late(_EFFECTS).pack_piece(content)
        return packed

    def pack_error(self, error: BaseException) -> tuple[bytes, bytes]:
        """Return an exception and its traceback as bytes: always something to show."""
        packed: tuple[bytes, bytes] = import_late(_EFFECTS).pack_error(error)
        return packed

    def too_large(self, task_id: str, error: Exception) -> Exception:
        """Return the error for a report that no frame can carry."""
        failure: Exception = import_late("graflow_fast.exceptions").TaskSerializationError(
            task_id, "the result", "", error
        )
        return failure

    def send(self, ticket: int, flags: int, result: bytes, record: bytes) -> None:
        """Report a task while there is shared memory to look after."""
        import_late("graflow_fast._worker.sharing").send(self._worker.link, ticket, flags, result, record)

    # --- chunks of maps and calls

    def run_chunk(self, ticket: int, name: str, key: int, view_key: int, bound: bytes | None, chunk: bytes) -> None:
        """Run some items of a map, or some calls if no view is named, and report them."""
        try:
            if view_key:
                run_chunk = import_late("graflow_fast._worker.items").run_chunk
                flags, (result, record) = 0, run_chunk(self._worker, ticket, key, name, view_key, bound, chunk)
            else:
                run_calls = import_late("graflow_fast._worker.calls").run_calls
                flags, (result, record) = 0, run_calls(self._worker, ticket, key, name, bound, chunk)
        except BaseException as error:
            data, trace = self.pack_error(error)
            pieces = output.take() or []
            flags = _FAILED_WITH_EFFECTS
            result, record = crossing.NONE_BYTES, pack_failure(pieces, data, trace, self.pack_piece)
        finally:
            running.task_context = None
            if surroundings.changed:
                surroundings.restore()
        if self.shares_memory:
            self.send(ticket, flags, result, record)
        else:
            self._worker.link.report(ticket, flags, result, record)


class RunningContext:
    """Stands for the context of whichever task is running."""

    __slots__ = ("_running",)

    def __init__(self, running_task: RunningTask) -> None:
        object.__setattr__(self, "_running", running_task)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._running.context, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._running.context, name, value)
