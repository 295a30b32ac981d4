"""A station: worker processes on an engine's worker, whose frames go to the head of the run and come from there.

Owns one life of a station: its workers, the thread that serves them, and the exchanges of blobs. The workers are those
of an ordinary pool, but without a coordinator: claims, batches and what a death costs are the head's. Must not know
what carries blobs, nor what a task means.
"""

from __future__ import annotations

import asyncio
import marshal
import os
import select
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from graflow_fast._core import FarWorker, Trunk
from graflow_fast._places.remote import messages
from graflow_fast._places.remote.far_pool import FarPool
from graflow_fast._pool.starting import CannotStart

#: Seconds that an exchange is kept when there is nothing to answer; the next one ends it.
PATIENCE = 0.5
#: Seconds between two looks at what workers do, and at what they have written.
_TICK = 0.02
#: One in so many looks is at the memory of workers.
_MEASURED = 5
#: Seconds without an exchange after which a station takes itself for cut off: it ends its workers, so that no body runs
#: here that the head has begun elsewhere. Shorter than `bridge.LOSS`.
FENCE = 30.0
_WAKE = -1


class Call:
    """A call of the head's that waits for news.

    Attributes:
        ready: is called when it is to be answered.
        is_stale: whether it was made again since, so that nobody listens to its answer.
    """

    __slots__ = ("is_stale", "ready")

    def __init__(self, ready: Callable[[], object]) -> None:
        self.ready = ready
        self.is_stale = False


class Station:
    """Worker processes that serve a head."""

    def __init__(self, given: bytes) -> None:
        """Begin serving, in a thread.

        Args:
            given: by the head, marshalled: ``incarnation``, ``slots``, ``shift`` (of the clock), ``boot`` and
                ``environment`` of workers (see `far_pool`).
        """
        content: dict[str, Any] = marshal.loads(given)
        self._trunk = Trunk(content["incarnation"])
        self._guard = threading.Lock()
        self._arrived: deque[tuple[int, int, bytes]] = deque()
        #: The exchange that waits for news.
        self._parked: Call | None = None
        self._heard = time.monotonic()
        self._next_look = 0.0
        self._looks = 0
        self._is_live = False
        #: Whether the program does nothing here, and so is not heard of.
        self._rests = False
        self._ends = False
        self._is_open = True
        self._poller = select.epoll()
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller.register(self._wake[0], select.EPOLLIN)
        self._numbers: dict[int, int] = {}  # descriptor -> worker
        self._blocked: set[int] = set()  # workers whose sockets are full
        self._pool = FarPool(content, self._watch)
        self._thread = threading.Thread(target=self._serve, name="graflow_fast_station", daemon=True)
        self._thread.start()

    # --- exchanges, in the engine's threads

    def arrive(self, blob: bytes, call: Call) -> bool:
        """Take a blob; return whether the answer is ready (`leave`), else the call is told when it is.

        Raises:
            ValueError: it is damaged, or of another life of this station.
        """
        with self._guard:
            self._heard = time.monotonic()
            found = self._trunk.accept(blob)
            self._arrived.extend(found)
            before, self._parked = self._parked, None
            if before is not None:
                before.is_stale = self._trunk.was_repeated()
            is_ready = self._trunk.has_outgoing()
            if not is_ready:
                self._parked = call
        if before is not None:
            before.ready()
        if found:
            self._nudge()
        return is_ready

    def leave(self, call: Call) -> bytes:
        """Return the answer to an exchange."""
        with self._guard:
            return b"" if call.is_stale else self._trunk.take(messages.MOST)

    async def exchange(self, blob: bytes) -> bytes:
        """Take a blob and answer it, at once if there is news, for engines that call this on an event loop."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        call = Call(lambda: loop.call_soon_threadsafe(event.set))
        if not self.arrive(blob, call):
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(event.wait(), PATIENCE)
        return self.leave(call)

    def _nudge(self) -> None:
        with self._guard, suppress(OSError):
            if self._is_open:  # else the number may be somebody else's by now
                os.write(self._wake[1], b"\0")

    def close(self) -> None:
        """End the workers, and wait for that a moment."""
        self._ends = True
        self._nudge()
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)

    # --- serving, in the station's thread

    def _serve(self) -> None:
        try:
            while not self._ends:
                self._turn()
        except BaseException:
            self._push(messages.BROKEN, 0, traceback.format_exc().encode())
            self._tell()
        finally:
            self._tell()
            self._pool.shutdown(0.2)
            with self._guard:
                self._is_open = False
                self._poller.close()
                for descriptor in self._wake:
                    os.close(descriptor)

    def _turn(self) -> None:
        waits = self._pool.is_awaited()
        ready = self._poller.poll(0.005 if waits else _TICK if self._numbers else PATIENCE)
        for descriptor, happened in ready:
            if descriptor == self._wake[0]:
                with suppress(BlockingIOError):
                    os.read(descriptor, 4096)
                continue
            number = self._numbers.get(descriptor, _WAKE)
            if number >= 0 and happened & select.EPOLLOUT:
                self._flush(number)
            if number >= 0 and happened & ~select.EPOLLOUT:
                self._take(number)
        while self._arrived:
            self._obey(*self._arrived.popleft())
        if waits:
            self._tell_started()
        if time.monotonic() >= self._next_look:
            self._look()
        self._tell()

    def _tell(self) -> None:
        """Let the exchange that waits go, if there is something to tell."""
        with self._guard:
            before = None
            if self._trunk.has_outgoing() or self._rests or self._ends:
                before, self._parked = self._parked, None
        if before is not None:
            before.ready()

    def _push(self, kind: int, number: int, content: bytes) -> None:
        with self._guard:
            self._trunk.push(kind, number, content)

    def _watch(self, number: int, worker: FarWorker) -> None:
        self._numbers[worker.fileno()] = number
        self._poller.register(worker.fileno(), select.EPOLLIN)

    def _obey(self, kind: int, number: int, content: bytes) -> None:
        """Do what the head says."""
        if kind == messages.DATA:
            worker = self._pool.links.get(number)
            if worker is not None:
                if not worker.deliver(content):
                    self._block(number, worker)
                self._take(number)  # what was recalled
        elif kind == messages.FORK:
            try:
                self._pool.fork_as(number)
            except CannotStart as error:
                self._push(messages.FAILED, number, str(error).encode())
        elif kind == messages.KILL:
            if number in self._pool.links:
                self._pool.kill(number, float(content))
        elif kind == messages.DROP:
            self._drop(number)
        elif kind == messages.EPOCH:
            self._pool.set_live_epoch(int.from_bytes(content, "little"))
        elif kind == messages.LIVE:
            self._is_live = True
        elif kind == messages.END:
            self._ends = True
        self._rests = kind == messages.REST

    def _block(self, number: int, worker: FarWorker) -> None:
        self._blocked.add(number)
        self._poller.modify(worker.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _flush(self, number: int) -> None:
        worker = self._pool.links[number]
        if number in self._blocked and worker.flush():
            self._blocked.discard(number)
            self._poller.modify(worker.fileno(), select.EPOLLIN)

    def _take(self, number: int) -> None:
        """Take what a worker has sent, and tell it with what its reports refer to."""
        worker = self._pool.links.get(number)
        if worker is None:
            return
        data, has_ended = worker.take()
        if data:
            self._tell_written(number)
            self._push(messages.DATA, number, data)
        if has_ended:
            self._end(number)
        elif data:
            self._tell_claims(number, worker)

    def _tell_claims(self, number: int, worker: FarWorker) -> None:
        changes = worker.changes()
        if changes:
            self._push(messages.CLAIMS, number, changes)

    def _tell_written(self, number: int, with_journal: bool = False) -> None:
        for index, at, content in self._pool.grown(number, with_journal):
            self._push(messages.WRITTEN, number, bytes([index]) + at.to_bytes(8, "little") + content)

    def _tell_started(self) -> None:
        try:
            started = self._pool.started()
        except CannotStart as error:
            self._push(messages.FAILED, 0, str(error).encode())
            return
        for number, pid in started:
            self._push(messages.STARTED, number, marshal.dumps(pid))

    def _end(self, number: int) -> None:
        """A worker has ended: tell all that is left of it, and how."""
        worker = self._pool.links[number]
        status = self._pool.exit_of(number)
        self._tell_written(number, with_journal=True)
        self._push(messages.CLAIMS, number, worker.last_changes())
        self._push(messages.ENDED, number, marshal.dumps(status))
        self._drop(number)

    def _drop(self, number: int) -> None:
        worker = self._pool.links.get(number)
        if worker is not None:
            self._poller.unregister(worker.fileno())
            del self._numbers[worker.fileno()]
            self._blocked.discard(number)
            self._pool.drop(number)

    def _look(self) -> None:
        """Tell what runs, what it takes and what was said, and see whether the head is still there."""
        now = time.monotonic()
        self._next_look = now + _TICK
        self._looks += 1
        for number, worker in list(self._pool.links.items()):
            if self._looks % _MEASURED == 0 and number in self._pool.processes:
                worker.measure(self._pool.processes[number])
            self._tell_claims(number, worker)
            if self._is_live:
                self._tell_written(number, with_journal=True)
        if not self._rests and now - self._heard > FENCE:
            self._ends = True
