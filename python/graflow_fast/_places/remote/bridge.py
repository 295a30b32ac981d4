"""The bridge: a thread that carries frames between the core's links and the stations of one pool.

Owns the lines to stations and the workers there. To the core a worker elsewhere is a socket and a claim table, as any
other; here is what stands behind them. Must not know tasks, nor which engine it is.
"""

from __future__ import annotations

import marshal
import os
import select
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from graflow_fast._places.remote import messages
from graflow_fast._places.remote.line import Line
from graflow_fast._places.remote.near import NearWorker

#: Bytes on their way to a station beyond which nothing more is taken from the core for it.
_MOST_UNACKNOWLEDGED = 64 << 20
#: Seconds between two looks for what has no descriptor.
_TICK = 0.5
_SOON = 0.05


class Bridge:
    """Carries what the core and stations say to each other.

    Args:
        changed: is called, in the bridge's thread, when a station was lost or no worker can be started.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.lines: list[Line] = []
        #: By number of a worker: why its station was lost.
        self.lost_with: dict[int, str] = {}
        #: Why no worker can be started: a station's reason, or a fault of this thread's.
        self.failure: str | None = None
        self._changed = changed
        self._calls: deque[Callable[[], None]] = deque()
        self._by_descriptor: dict[int, tuple[Line, NearWorker]] = {}
        self._poller = select.epoll()
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller.register(self._wake[0], select.EPOLLIN)
        self._guard = threading.Lock()
        self._is_open = True
        self._ends = False
        self._thread = threading.Thread(target=self._serve, name="graflow_fast_bridge", daemon=True)
        self._thread.start()

    # --- for others' threads

    def notify(self) -> None:
        """Let the bridge look around."""
        with self._guard, suppress(OSError):
            if self._is_open:  # else the number may be somebody else's by now
                os.write(self._wake[1], b"\0")

    def call(self, function: Callable[[], None]) -> None:
        """Have something done in the bridge's thread, in the order of calls."""
        self._calls.append(function)
        self.notify()

    def add_line(self, line: Line) -> None:
        """Serve another station from now on."""
        self.lines.append(line)
        self.notify()

    def add_worker(self, line: Line, near: NearWorker) -> None:
        """Have a worker started at a station, and carry what it says."""
        line.numbers.add(near.number)
        self.call(lambda: self._begin(line, near))

    def line_of(self, number: int) -> Line | None:
        """Return the station that has a worker."""
        return next((line for line in self.lines if number in line.numbers), None)

    def kill(self, number: int, grace: float) -> None:
        """Have a worker ended at its station."""
        line = self.line_of(number)
        if line is not None:
            self.call(lambda: line.push(messages.KILL, number, repr(grace).encode()))

    def tell_all(self, kind: int) -> None:
        """Tell all stations something."""
        for line in self.lines:
            self.call(partial(line.push, kind))

    def rest(self, wait: float) -> None:
        """Say nothing to stations for a while: no call is under way when the program does other things."""
        for line in self.lines:
            self.call(partial(line.push, messages.REST))
        self._await_quiet(wait)

    def _await_quiet(self, wait: float) -> None:
        deadline = time.monotonic() + wait
        while self._calls or not all(line.is_quiet() for line in self.lines):
            if time.monotonic() > deadline or not self._thread.is_alive():
                break
            time.sleep(0.0005)

    def close(self, wait: float) -> None:
        """Have all stations end, and wait for that to be told."""
        for line in self.lines:
            self.call(line.end)
        self._await_quiet(wait)
        self._ends = True
        self.notify()
        self._thread.join(1.0)
        for line in self.lines:
            with suppress(Exception):
                line.close()

    def disown(self) -> None:
        """In a forked child, which has no such thread: close what is open."""
        for _, near in self._by_descriptor.values():
            near.disown()
        if self._is_open:
            self._close()

    # --- in the bridge's thread

    def _serve(self) -> None:
        try:
            while not self._ends:
                self._turn()
        except BaseException:
            self.failure = f"the bridge to the stations has failed:\n{traceback.format_exc()}"
            self._changed()
        finally:
            for _, near in list(self._by_descriptor.values()):
                near.close()
            with self._guard:
                self._close()

    def _close(self) -> None:
        self._is_open = False
        self._poller.close()
        for descriptor in self._wake:
            os.close(descriptor)

    def _turn(self) -> None:
        held_back = any(near.is_full for _, near in self._by_descriptor.values())
        now = time.monotonic()
        wait = min((line.patience(now) for line in self.lines), default=_TICK)
        for descriptor, happened in self._poller.poll(min(wait, _SOON if held_back else _TICK)):
            if descriptor == self._wake[0]:
                with suppress(BlockingIOError):
                    os.read(descriptor, 1 << 16)
            elif descriptor in self._by_descriptor:
                line, near = self._by_descriptor[descriptor]
                if happened & select.EPOLLOUT:
                    near.flush()
                if happened & ~select.EPOLLOUT and not near.is_closed:
                    self._take(line, near)
                self._watch(near)
        while self._calls:
            self._calls.popleft()()
        now = time.monotonic()
        for line in self.lines:
            if line.lost is None:
                for kind, number, content in line.news(now):
                    self._hear(line, kind, number, content)
                if line.lost is not None:
                    self._lose(line)
                line.exchange(now)
        if held_back:
            for line, near in list(self._by_descriptor.values()):
                if near.is_full and line.trunk.unacknowledged() < _MOST_UNACKNOWLEDGED:
                    near.is_full = False
                    self._watch(near)

    def _begin(self, line: Line, near: NearWorker) -> None:
        if line.lost is not None:
            self._let_go(line, near, line.lost)
            return
        line.workers[near.number] = near
        self._by_descriptor[near.fileno()] = line, near
        self._poller.register(near.fileno(), select.EPOLLIN)
        line.push(messages.FORK, near.number)

    def _watch(self, near: NearWorker) -> None:
        """Wait for what concerns a worker: what the core sends, and room for what it is to be given."""
        if near.is_closed:
            return
        wanted = (0 if near.is_full else select.EPOLLIN) | (select.EPOLLOUT if near.waits else 0)
        self._poller.modify(near.fileno(), wanted)

    def _take(self, line: Line, near: NearWorker) -> None:
        """Pass on what the core has sent to a worker."""
        if line.trunk.unacknowledged() > _MOST_UNACKNOWLEDGED:
            near.is_full = True
            return
        data = near.take()
        if data is None:
            self._forget(line, near)
            line.push(messages.DROP, near.number)
            near.close()
            return
        epoch = near.live_epoch()
        if epoch != line.epoch:
            line.epoch = epoch
            line.push(messages.EPOCH, 0, epoch.to_bytes(8, "little"))
        if data:
            line.push(messages.DATA, near.number, data)

    def _hear(self, line: Line, kind: int, number: int, content: bytes) -> None:
        """Take in what a station says."""
        near = line.workers.get(number)
        if kind == messages.BROKEN:
            line.lost = content.decode(errors="replace")
            return
        if near is None:
            return  # the core has let go of it
        if kind == messages.DATA:
            near.give(content)
            if near.waits:
                self._watch(near)
        elif kind == messages.CLAIMS:
            near.take_changes(content)
        elif kind == messages.WRITTEN:
            near.write(content[0], int.from_bytes(content[1:9], "little"), content[9:])
        elif kind == messages.STARTED:
            near.process.pid = marshal.loads(content)
        elif kind == messages.ENDED:
            near.process.exit = marshal.loads(content)
            self._end(line, near)
        elif kind == messages.FAILED:
            self.failure = content.decode(errors="replace")
            self._end(line, near)
            self._changed()

    def _end(self, line: Line, near: NearWorker) -> None:
        """A worker has ended: the core sees that when it has all that came before."""
        del line.workers[near.number]
        line.numbers.discard(near.number)
        descriptor = near.fileno()
        near.end()
        if near.is_closed:
            self._by_descriptor.pop(descriptor, None)  # and epoll has forgotten it
        else:
            self._watch(near)

    def _forget(self, line: Line, near: NearWorker) -> None:
        line.workers.pop(near.number, None)
        line.numbers.discard(near.number)
        if self._by_descriptor.pop(near.fileno(), None) is not None:
            self._poller.unregister(near.fileno())

    def _lose(self, line: Line) -> None:
        """A station is lost, and its workers with it: what they had in flight the copies of their claims tell."""
        assert line.lost is not None
        for near in list(line.workers.values()):
            self._let_go(line, near, line.lost)
        line.numbers.clear()
        self._changed()

    def _let_go(self, line: Line, near: NearWorker, why: str) -> None:
        self.lost_with[near.number] = f"its station on {line.address.name} was lost ({why})"
        if near.number in line.workers:
            self._end(line, near)
        else:
            near.end()
