"""The thread that drives an executor's worker processes: it alone uses the pool.

Owns which calls are under way and what became of them. Other threads leave calls in the mailbox; while this one waits
it is in the core, without the interpreter lock, and a byte wakes it. Must not hold the `Executor`, which may be dropped
while calls are under way. How calls are packed is `packing`'s.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, InvalidStateError
from typing import Any

from graflow_fast._body.output import Piece, show_all
from graflow_fast._calls.packing import Packed, Packing
from graflow_fast._core import read_failure
from graflow_fast._places.process.crashes import crash_report, without_own_frames
from graflow_fast._places.process.growth import Growth
from graflow_fast._pool.process_pool import LOST, REPORT, REQUEST, WANTED, ProcessPool
from graflow_fast._pool.registry import open_own, release
from graflow_fast._pool.starting import CannotStart
from graflow_fast._wire import crossing
from graflow_fast._wire.effects import unpack_error
from graflow_fast._wire.shared.memory_files import Gone
from graflow_fast._wire.shared.segments import Spare
from graflow_fast.exceptions import TaskSerializationError

#: Flags of a report.
_FAILED, _DESCRIPTORS, _SHARED = 1, 4, 8
#: How far a call's writes to descriptors 1 and 2 go, at the end of its record if it made any.
_POSITIONS = struct.Struct("<qq")
#: Calls of at least so many seconds are handed to the pool when a worker is about to need one: until then they can be
#: cancelled. Shorter ones are sent ahead.
_LONG = 0.01
#: Seconds that idle workers may take to end, and those that `terminate_workers` asked to.
_GRACE = 1.0


class Call:
    """Some calls of one function under way as one, and the future that waits for them.

    Attributes:
        packed: what is sent of them; None when it has been.
        future: gets the result of the only call; of a chunk (results, the error of the next call or None).
        is_chunk: whether it is one.
    """

    __slots__ = ("future", "is_chunk", "packed")

    def __init__(self, packed: Packed, future: Future[Any], is_chunk: bool) -> None:
        self.packed: Packed | None = packed
        self.future = future
        self.is_chunk = is_chunk

    def fail(self, error: BaseException) -> None:
        """Tell the future that there is no result."""
        with contextlib.suppress(InvalidStateError):  # somebody else has told it something
            self.future.set_exception(error)

    def succeed(self, results: list[Any], failure: BaseException | None) -> None:
        """Tell the future what the calls returned, and what the next one raised."""
        with contextlib.suppress(InvalidStateError):
            if self.is_chunk:
                self.future.set_result((results, failure))
            elif failure is not None:
                self.future.set_exception(failure)
            else:
                self.future.set_result(results[0])


class Crew:
    """The workers of one executor and the thread that drives them.

    Args:
        workers: how many there may be.
        packing: of the executor.
        most_calls: how many chunks of calls a worker runs before another one takes its place; None: any number.
        ended: called when the thread ends.

    Attributes:
        broken: why there are no more workers, None while there can be.
        is_ending: whether it was told to end.
        gate: held by whoever posts or ends, so that nothing is posted that nobody would see.
        thread: to be started when there is a call.
        owner: what tells of the executor's end.
    """

    def __init__(self, workers: int, packing: Packing, most_calls: int | None, ended: Callable[[Crew], object]) -> None:
        self.broken: str | None = None
        self.owner: object = None
        self._ended = ended
        self._workers = workers
        self._packing = packing
        self._posts = packing.mailbox.posts
        self._most_calls = most_calls
        self._waiting: deque[Call] = deque()
        self._sent: dict[int, Call] = {}
        self._next_ticket = 1
        #: Seconds that the last call took.
        self._latest = _LONG
        #: Calls that have ended since the packing was told: its lock is not to be fought for at each.
        self._over = 0
        #: By worker: how many it has run, as far as anybody counts.
        self._counts: dict[int, int] = {}
        self.is_ending = False
        self._is_cancelling = False
        #: The grace of the workers that are to be ended at once.
        self._stop: float | None = None
        self._wake_descriptor = -1
        self._is_asleep = False
        #: The executor's end may come while it is held, wherever the collector runs.
        self._wake_lock = threading.RLock()
        self.gate = threading.Lock()
        self.thread = threading.Thread(target=self._run, name="graflow_fast executor", daemon=False)

    # --- for other threads

    def post(self, call: Call) -> None:
        """Have a call run. Held by the caller: the gate, and the crew neither broken nor told to end."""
        self._posts.append(("submit", (call,)))
        if self._is_asleep:
            self._wake()

    def end(self, cancel_pending: bool = False) -> None:
        """Let the thread end when all is done, or all that has begun."""
        self._is_cancelling = self._is_cancelling or cancel_pending
        self.is_ending = True
        self._wake()

    def stop(self, grace: float) -> None:
        """End the workers whatever they do: SIGTERM, and SIGKILL after ``grace`` seconds."""
        self._stop = grace
        self.end(True)

    def _wake(self) -> None:
        with self._wake_lock:
            self._is_asleep = False
            if self._wake_descriptor >= 0:
                with contextlib.suppress(BlockingIOError):  # full of bytes that nobody has read: it is awake
                    os.write(self._wake_descriptor, b"\0")

    # --- the thread

    def _run(self) -> None:
        pool = None
        try:
            pool = open_own(self._workers)
            self._drive(pool)
        except CannotStart as error:
            self._break(str(error))
        except BaseException as error:
            self._break(f"its driving thread failed: {type(error).__name__}: {error}", error)
        finally:
            with self._wake_lock:
                self._wake_descriptor = -1
            if pool is not None:
                release(pool, _GRACE if self._stop is None else self._stop)
            self._ended(self)

    def _drive(self, pool: ProcessPool) -> None:
        core = pool.core
        pool.at_end.append(Spare().give_up)
        growth = Growth(pool)
        with self._wake_lock:
            self._wake_descriptor = core.wake_fd()
        while True:
            self._take_posts(core)
            if self._is_cancelling:
                self._cancel_waiting()
            if self._stop is not None:
                self._stop_all(pool)
                return
            self._send(core)
            if self._over:
                self._packing.ended(self._over)
                self._over = 0
            is_idle = not self._sent
            if is_idle and self.is_ending and not self._posts:
                return
            self._is_asleep = True
            timeout = growth.patience(None) if self._sent else None
            events = core.poll(0.0 if self._posts or (is_idle and self.is_ending) else timeout)
            self._is_asleep = False
            for event in events:
                self._take_in(pool, growth, event)
            growth.sometimes()

    def _take_posts(self, core: Any) -> None:
        posts = self._posts
        while posts:
            what, arguments = posts.popleft()
            if what == "submit":
                self._waiting.append(*arguments)
            else:
                getattr(core, what)(*arguments)

    def _send(self, core: Any) -> None:
        """Give calls to the pool: as many as keep it busy, so that others can be cancelled."""
        waiting = self._waiting
        while waiting:
            if len(self._sent) > self._workers and (self._latest >= _LONG or core.room() <= 0):
                return
            call = waiting.popleft()
            if not call.future.set_running_or_notify_cancel():
                self._over += 1
                continue
            assert call.packed is not None
            ticket = self._next_ticket
            self._next_ticket += 1
            self._sent[ticket] = call
            try:
                core.submit(ticket, call.packed.payload, call.packed.keys)
            except ValueError as error:  # more than a frame takes
                del self._sent[ticket]
                self._over += 1
                call.fail(TaskSerializationError(call.packed.name, "arguments", "", error))

    def _take_in(self, pool: ProcessPool, growth: Growth, event: tuple[Any, ...]) -> None:
        kind = event[0]
        if kind == REPORT:
            self._report(pool, growth, *event[1:])
        elif kind == LOST:
            self._lost(pool, event)
        elif kind == WANTED:
            pool.grow(event[1])
        elif kind == REQUEST:
            refusal = crossing.dumps(RuntimeError("This call is no task of a workflow, so there is no context to ask"))
            pool.core.reply(event[2], pickle.dumps((False, refusal), crossing.PROTOCOL))

    def _report(
        self,
        pool: ProcessPool,
        growth: Growth,
        ticket: int,
        worker: int,
        flags: int,
        started: float,
        ended: float,
        result: bytes,
        record: bytes,
    ) -> None:
        call = self._sent.pop(ticket)
        self._latest = ended - started
        growth.after_task(worker, ended - started)
        if self._most_calls is not None:
            self._count(pool, worker)
        written = None
        if flags & _DESCRIPTORS:
            record, positions = record[: -_POSITIONS.size], record[-_POSITIONS.size :]
            written = pool.written_by(worker, _POSITIONS.unpack(positions))
        assert call.packed is not None
        name = call.packed.name
        results: list[Any] = []
        failure: BaseException | None = None
        pieces: list[Piece] = []
        is_broken = False
        try:
            if flags & _FAILED:
                pieces, error, trace = read_failure(record, crossing.loads)
                failure = unpack_error(name, (error, trace))
            else:
                results = crossing.loads(crossing.adopt(result) if flags & _SHARED else result)
                if record:
                    packed, pieces, is_broken = pickle.loads(record)
                    failure = None if packed is None else unpack_error(name, packed)
        except Gone:  # the worker ended before its memory could be opened here
            failure = crash_report(name, 1, pool.lost(ticket, worker, True, "with its result"), [])
        except Exception as error:
            failure = TaskSerializationError(name, "the result", "", error)
        call.packed = None
        self._over += 1
        if written is not None:
            pieces = [*written.fill(pieces), *written.rest()]
        shown = self._show(pieces)
        failure = failure or shown
        if is_broken:
            assert failure is not None
            self._break(f"its initializer raised {type(failure).__name__}: {failure}", failure, call)
        else:
            call.succeed(results, failure)

    @staticmethod
    def _show(pieces: list[Piece]) -> Exception | None:
        """Show what a call has said; return what came of that: a warning may be an error here."""
        try:
            show_all(pieces)
        except Exception as error:
            return error
        return None

    def _count(self, pool: ProcessPool, worker: int) -> None:
        count = self._counts[worker] = self._counts.get(worker, 0) + 1
        if count == self._most_calls:
            pool.recycle(worker)

    def _lost(self, pool: ProcessPool, event: tuple[Any, ...]) -> None:
        lost = pool.lost(*event[1:])
        self._counts.pop(lost.worker, None)
        call = self._sent.pop(lost.ticket, None)
        if call is not None:
            assert call.packed is not None
            name, call.packed = call.packed.name, None
            self._over += 1
            pieces = without_own_frames(lost.said + lost.written)
            self._show(pieces)
            call.fail(crash_report(name, 1, lost, pieces))
        pool.refill()

    # --- the end

    def _cancel_waiting(self) -> None:
        self._is_cancelling = False
        waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            call.future.cancel()
            call.future.set_running_or_notify_cancel()  # so that whoever waits for several hears of it
        self._over += len(waiting)

    def _stop_all(self, pool: ProcessPool) -> None:
        assert self._stop is not None
        for worker in pool.core.workers():
            pool.kill(worker, self._stop)
        self._break("its workers were ended by terminate_workers() or kill_workers()")

    def _break(self, why: str, cause: BaseException | None = None, last: Call | None = None) -> None:
        """Have no workers any more: all that is under way fails, and so does all that comes."""
        with self.gate:
            self.broken = why
            self.is_ending = True
            calls = [*([] if last is None else [last]), *self._sent.values(), *self._waiting]
            calls += [post[1][0] for post in self._posts if post[0] == "submit"]
            self._posts.clear()
        self._sent.clear()
        self._waiting.clear()
        for call in calls:
            if call.future.running() or call.future.set_running_or_notify_cancel():
                error = broken(why)
                error.__cause__ = cause
                call.fail(error)


def broken(why: str) -> BrokenExecutor:
    """Return the error of calls for which there are no workers."""
    return BrokenExecutor(f"This Executor can run no more calls: {why}. Make another one")
