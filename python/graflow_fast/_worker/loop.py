"""The worker's main loop: take a task, run its body, report its effects. Everything else is asked of the coordinator.

Owns what this process has loaded (definitions, views); knows nothing of graphs, branches or other workers.
"""

from __future__ import annotations

import pickle
import sys
import traceback
from typing import TYPE_CHECKING, Any

from graflow_fast._core import pack_effects
from graflow_fast._run import crossing
from graflow_fast._shared import segments
from graflow_fast._tracebacks import user_lines
from graflow_fast._worker import effects, lease, mutations, output, surroundings
from graflow_fast._worker.bodies import Body, BodyContext
from graflow_fast._worker.effects import EFFECTS, FAILED, PLAIN
from graflow_fast._worker.mutations import Watch
from graflow_fast._worker.plain import PlainTasks
from graflow_fast._worker.remote import View
from graflow_fast.core import registry
from graflow_fast.core.definition import Definition
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import LostMutationError, LostMutationWarning, TaskSerializationError

if TYPE_CHECKING:
    from graflow_fast._core import WorkerLink

#: A flag of a report: it names shared memory.
SHARED = 8


def run(link: WorkerLink) -> None:
    """Run tasks until the coordinator says stop or is gone."""
    worker = Worker(link)
    output.install(link.running)
    surroundings.install()
    link.watch_output()
    PlainTasks(worker).install()
    while (item := link.next(segments.used())) is not None:
        if item:
            worker.run_task(*item)
        else:  # nothing to do for now
            segments.rest()


class Worker:
    """What this process has loaded, and the running of one task after the other."""

    def __init__(self, link: WorkerLink) -> None:
        self.link = link
        self.definitions: dict[int, Definition] = {}
        self.bodies: dict[int, Body] = {}
        self.views: dict[int, View] = {}
        #: What each body could change of what it captured; None when nothing.
        self.watches: dict[int, Watch | None] = {}
        self.blobs: dict[int, bytes] = {}
        self.keys: dict[Definition, int] = {}
        crossing.Finders.find_definition = staticmethod(self.definition)
        crossing.Finders.find_key = staticmethod(self.keys.get)
        segments.arena.awaits_arrival = True

    def run_task(self, ticket: int, payload: bytes | tuple[str, int, int, bytes | None, None]) -> None:
        """Run one task (or the steps of a lease) and report it, whatever it does."""
        message: Any = pickle.loads(payload) if type(payload) is bytes else payload
        task_id, key, view_key, bound, extra = message
        if extra is not None and "chunk" in extra:
            self._run_chunk(ticket, task_id, key, view_key, bound, extra["chunk"])
            return
        if extra is not None and "lease" in extra:
            steps = lease.run(self, ticket, view_key, (task_id, key, bound, extra))
            self.report(ticket, task_id, EFFECTS, crossing.NONE_BYTES, steps)
            return
        flags, result, parts = self.perform(ticket, task_id, key, view_key, bound, extra, short=True)
        self.report(ticket, task_id, flags, result, parts)

    def perform(
        self,
        ticket: int,
        task_id: str,
        key: int,
        view_key: int,
        bound: bytes | None,
        extra: dict[str, Any] | None,
        short: bool = False,
    ) -> tuple[int, bytes, Any]:
        """Run one body; return the report's flags, the result as bytes, and the record's parts.

        The parts are None when there are none, and with ``short`` the whole record as bytes if it has the short form.
        """
        context: BodyContext | None = None
        try:
            body = self.bodies.get(key) or self.body(key)
            arguments: dict[str, Any] = {} if bound is None else effects.load_arguments(task_id, bound)
            context = BodyContext(self, ticket, task_id, view_key, body.definition, extra)
            registry.running.task_context = context
            if not body.parameters and not body.inject:
                result = body.func(**arguments)
            else:
                positional: tuple[Any, ...] = ()
                if extra is not None and "call" in extra:
                    positional = (crossing.loads(extra["call"]),)
                if body.parameters:
                    arguments = body.arguments(context, arguments, len(positional))
                if body.inject:
                    result = body.func(context, *positional, **arguments)
                else:
                    result = body.func(*positional, **arguments)
            if body.watch is not None:
                self._complain_of_lost_mutations(key, task_id, body.definition, body.watch)
            packed_result = crossing.NONE_BYTES if result is None else effects.pack_result(task_id, result)
            parts = self.parts(task_id, context, context.directives, short)
        except BaseException as error:
            return FAILED | EFFECTS, crossing.NONE_BYTES, self.parts_of_failure(task_id, context, error)
        finally:
            registry.running.task_context = None
            if surroundings.changed:
                surroundings.restore()
        return effects.flags_of(parts), packed_result, parts

    def report(self, ticket: int, task_id: str, flags: int, result: bytes, parts: Any) -> None:
        record = b"" if parts is None else parts if type(parts) is bytes else crossing.pack(parts, [])
        try:
            self._send(ticket, flags, result, record)
        except ValueError as error:  # too large
            failure = TaskSerializationError(task_id, "the result", "", error)
            record = crossing.pack(self.parts_of_failure(task_id, None, failure), [])
            self._send(ticket, FAILED | EFFECTS, crossing.NONE_BYTES, record)

    def _send(self, ticket: int, flags: int, result: bytes, record: bytes) -> None:
        if segments.arena.fresh and segments.sent(result, record):
            flags |= SHARED
        if segments.used() and not self.link.has_queued():
            segments.rest()  # before the coordinator hears of it: what it sends next shall find the memory free
        self.link.report(ticket, flags, result, record)

    def _run_chunk(self, ticket: int, task_id: str, key: int, view_key: int, bound: bytes | None, chunk: Any) -> None:
        from graflow_fast._worker.items import run_chunk

        try:
            done = run_chunk(self, ticket, key, self.definition(key), task_id, view_key, bound, chunk)
            self._send(ticket, PLAIN, *done)
        except BaseException as error:
            parts = self.parts_of_failure(task_id, None, error)
            self.report(ticket, task_id, FAILED | EFFECTS, crossing.NONE_BYTES, parts)
        finally:
            registry.running.task_context = None
            if surroundings.changed:
                surroundings.restore()

    def parts(self, task_id: str, context: Any, directives: list[Any] | None, short: bool) -> Any:
        """Return the parts of the record of a body that returned (see `perform`)."""
        log = context.writes() if context is not None else None
        pieces = output.take()
        if not log and directives is None and pieces is None:
            return None
        if short and pieces is None and (context is None or not context.holds_lock):
            record = pack_effects(log, directives, TaskWrapper, self.keys, crossing.dumps)
            if record is not None:
                return record
        try:
            return effects.parts(task_id, log, directives, pieces, None)
        except Exception:
            output.put_back(pieces)
            raise

    def _complain_of_lost_mutations(self, key: int, task_id: str, definition: Definition, watch: Watch) -> None:
        """Warn (or raise) if the body changed what it captured, and forget the change, so no other task sees it."""
        names = watch.changed()
        if not names:
            return
        if key in self.blobs:
            del self.definitions[key], self.watches[key]
            self.bodies.pop(key, None)
        if mutations.MODE == "error":
            raise LostMutationError(task_id, names)
        code = definition.func.__code__
        output.keep_warning(LostMutationWarning(task_id, names), code.co_filename, code.co_firstlineno)

    def parts_of_failure(self, task_id: str, context: Any, error: BaseException) -> Any:
        try:
            log = context.writes() if context is not None else None
            return effects.parts(task_id, log, None, output.take(), effects.pack_error(error, _user_traceback(error)))
        except Exception as unpackable:
            # The writes can't cross, so the attempt is reported without them, with the reason.
            failure = effects.pack_error(unpackable, _user_traceback(error))
            return effects.parts(task_id, None, None, output.take(), failure)

    def definition(self, key: int) -> Definition:
        """Return the definition with that key, loading it when it is first named."""
        found = self.definitions.get(key)
        if found is not None:
            return found
        blob = self.blobs.get(key) or self.link.definition(key)
        if blob is None:
            raise pickle.UnpicklingError(f"definition {key} was never sent to this worker")
        # Made before its content is loaded, for the content may name it (a task that enqueues itself).
        made = self.definitions[key] = Definition.__new__(Definition)
        try:
            made.__dict__.update(crossing.loads(blob))
        except BaseException as error:
            del self.definitions[key]
            self.blobs[key] = blob  # the link gives it once; whoever asks next shall hear the same reason
            raise effects.unloadable(error) from error
        self.keys[made] = key
        watch = self.watches[key] = mutations.watch(made.func)
        if watch is not None:
            self.blobs[key] = blob  # to be loaded again when a task has changed what it captured
        return made

    def body(self, key: int) -> Body:
        """Return what is known of the definition with that key, loading it when it is first named."""
        definition = self.definition(key)
        body = self.bodies[key] = Body(definition, self.watches[key])
        return body

    def view(self, key: int) -> View:
        """Return the view of the channel with that key, loading it when it is first named."""
        for forgotten in self.link.take_forgotten():
            self.views.pop(forgotten, None)
            self.bodies.pop(forgotten, None)
            definition = self.definitions.pop(forgotten, None)
            if definition is not None:
                self.keys.pop(definition, None)
            self.watches.pop(forgotten, None)
            self.blobs.pop(forgotten, None)
        blob = self.link.definition(key)
        if blob is None:
            raise pickle.UnpicklingError(f"view {key} was never sent to this worker")
        made = self.views[key] = View(*pickle.loads(blob))
        return made


def _user_traceback(error: BaseException) -> str:
    """Return the traceback as text, without our lines."""
    try:
        return "".join(traceback.format_exception(type(error), error, user_lines(error.__traceback__)))
    except Exception:
        return f"{type(error).__name__} (its traceback could not be formatted: {sys.exc_info()[1]!r})"
