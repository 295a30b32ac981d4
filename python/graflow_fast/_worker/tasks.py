"""Running tasks that are not plain: from the payload to the report, whatever the body does.

Owns what happens around one body. What is loaded is the loop's; leases, chunks of maps and the record of effects have
modules of their own.
"""

from __future__ import annotations

import pickle
import sys
import traceback
from typing import TYPE_CHECKING, Any

from graflow_fast import _exception_pickling  # noqa: F401  # not when a body has used up all descriptors
from graflow_fast._core import pack_effects
from graflow_fast._run import crossing
from graflow_fast._shared import segments
from graflow_fast._tracebacks import user_lines
from graflow_fast._worker import effects, lease, mutations, output, surroundings
from graflow_fast._worker.bodies import Body, BodyContext
from graflow_fast._worker.effects import EFFECTS, FAILED, PLAIN
from graflow_fast._worker.imports import import_late
from graflow_fast.core.running import running
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import LostMutationError, LostMutationWarning, TaskSerializationError

if TYPE_CHECKING:
    from graflow_fast._worker.loop import Worker

#: A flag of a report: it names shared memory.
SHARED = 8


class Tasks:
    """Runs one task after the other."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._link = worker.link

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
            worker = self._worker
            body = worker.bodies.get(key) or self._body(key)
            arguments: dict[str, Any] = {} if bound is None else effects.load_arguments(task_id, bound)
            context = BodyContext(worker, ticket, task_id, view_key, body.definition, extra)
            running.task_context = context
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
                complain_of_lost_mutations(worker, key, task_id)
            packed_result = crossing.NONE_BYTES if result is None else effects.pack_result(task_id, result)
            parts = self.parts(task_id, context, context.directives, short)
        except BaseException as error:
            return FAILED | EFFECTS, crossing.NONE_BYTES, self.parts_of_failure(task_id, context, error)
        finally:
            running.task_context = None
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
        if segments.used() and not self._link.has_queued():
            segments.rest()  # before the coordinator hears of it: what it sends next shall find the memory free
        self._link.report(ticket, flags, result, record)

    def _run_chunk(self, ticket: int, task_id: str, key: int, view_key: int, bound: bytes | None, chunk: Any) -> None:
        from graflow_fast._worker.items import run_chunk

        try:
            done = run_chunk(self._worker, ticket, key, task_id, view_key, bound, chunk)
            self._send(ticket, PLAIN, *done)
        except BaseException as error:
            parts = self.parts_of_failure(task_id, None, error)
            self.report(ticket, task_id, FAILED | EFFECTS, crossing.NONE_BYTES, parts)
        finally:
            running.task_context = None
            if surroundings.changed:
                surroundings.restore()

    def parts(self, task_id: str, context: Any, directives: list[Any] | None, short: bool) -> Any:
        """Return the parts of the record of a body that returned (see `perform`)."""
        log = context.writes() if context is not None else None
        pieces = output.take()
        if not log and directives is None and pieces is None:
            return None
        if short and pieces is None and (context is None or not context.holds_lock):
            record = pack_effects(log, directives, TaskWrapper, self._worker.keys, crossing.dumps)
            if record is not None:
                return record
        try:
            return effects.parts(task_id, log, directives, pieces, None)
        except Exception:
            output.put_back(pieces)
            raise

    def parts_of_failure(self, task_id: str, context: Any, error: BaseException) -> Any:
        import_late(effects.PICKLING)
        try:
            log = context.writes() if context is not None else None
            return effects.parts(task_id, log, None, output.take(), effects.pack_error(error, user_traceback(error)))
        except Exception as unpackable:
            # The writes can't cross, so the attempt is reported without them, with the reason.
            failure = effects.pack_error(unpackable, user_traceback(error))
            return effects.parts(task_id, None, None, output.take(), failure)

    def _body(self, key: int) -> Body:
        worker = self._worker
        definition = worker.definition(key)
        body = worker.bodies[key] = Body(definition, worker.watches[key])
        return body


def complain_of_lost_mutations(worker: Worker, key: int, task_id: str) -> None:
    """Warn (or raise) if a body changed what it captured, and forget the change, so no other task sees it."""
    watch = worker.watches[key]
    names = None if watch is None else watch.changed()
    if not names:
        return
    code = worker.definitions[key].func.__code__
    if key in worker.blobs:
        del worker.definitions[key], worker.watches[key]
        worker.bodies.pop(key, None)
    if mutations.MODE == "error":
        raise LostMutationError(task_id, names)
    output.keep_warning(LostMutationWarning(task_id, names), code.co_filename, code.co_firstlineno)


def user_traceback(error: BaseException) -> str:
    """Return the traceback as text, without our lines."""
    try:
        return "".join(traceback.format_exception(type(error), error, user_lines(error.__traceback__)))
    except Exception:
        return f"{type(error).__name__} (its traceback could not be formatted: {sys.exc_info()[1]!r})"
