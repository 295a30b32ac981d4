"""A pool whose workers are on stations: to the place of processes it is what a pool of this machine is.

Owns which stations there are and which worker is on which. Frames, claims and batches are the core's as always; behind
each link the bridge carries them to a station. Must not know tasks, nor which engine it is.
"""

from __future__ import annotations

import marshal
import os
import secrets
import socket
import time
from collections.abc import Callable

from graflow_fast import _core
from graflow_fast._places.remote import messages
from graflow_fast._places.remote.bridge import Bridge
from graflow_fast._places.remote.carrier import Address, Carrier
from graflow_fast._places.remote.environment import Answer, check
from graflow_fast._places.remote.line import Line
from graflow_fast._places.remote.near import NearWorker
from graflow_fast._pool.lost import Lost
from graflow_fast._pool.output import memory_file
from graflow_fast._pool.process_pool import ProcessPool
from graflow_fast._pool.starting import CannotStart, boot, check_nesting
from graflow_fast._pool.worker_process import WorkerProcess

#: Seconds of work that each worker has in flight: some trips to a station.
_WINDOW = 0.02
#: Seconds between two looks for new workers of the engine, and without any before that is an error.
_LOOK = 1.0
_PATIENCE = 60.0
#: Seconds for stations to be quiet after a run.
_QUIET = 0.2


class StationPool(ProcessPool):
    """Workers on the stations of one engine.

    Args:
        carrier: the engine.
        workers: how many there may be.
    """

    def __init__(self, carrier: Carrier, workers: int) -> None:
        super().__init__(workers)
        self._carrier = carrier
        self._bridge: Bridge | None = None
        self._answers: dict[str, Answer] = {}
        self._next_look = 0.0
        #: Since when there has been no station.
        self._alone_since: float | None = None
        self._is_live = False
        #: Whether a station is on another machine.
        self._is_apart = False

    # --- stations

    def start(self, needs_cloudpickle: Callable[[], bool] = lambda: False) -> None:
        """Begin stations on all workers of the engine, and the first worker.

        Raises:
            ConfigError: there is no engine, or another kind of Python on it.
        """
        self._check()
        if self._core is not None:
            return
        check_nesting()
        addresses = self._carrier.addresses()
        self._answers = check(self._carrier, addresses)
        core = _core.Pool()
        core.set_capacity(self.size)
        core.set_least_window(_WINDOW)
        wake = core.wake_fd()
        self._bridge = Bridge(lambda: _write_byte(wake))
        self._core = core
        self._open_stations(addresses)
        if self._is_apart:
            from graflow_fast._wire.shared.values import Apart

            Apart.pools += 1
            self.at_end.append(_end_apart)
        self._next_look = time.monotonic() + _LOOK
        self._fork_missing()

    def _open_stations(self, addresses: list[Address]) -> None:
        assert self._bridge is not None
        for address in addresses:
            answer = self._answers.get(address.name)
            if answer is None or not answer.fits:
                continue
            incarnation = secrets.randbits(63)
            given = marshal.dumps(
                {
                    "incarnation": incarnation,
                    "slots": address.slots,
                    "shift": answer.shift,
                    "boot": boot(self.loop),
                    "environment": dict(os.environ) if answer.is_here else None,
                    "shares": answer.is_here,
                }
            )
            self._is_apart |= not answer.is_here
            link = self._carrier.open(address, given)
            self._bridge.add_line(Line(address, link, incarnation, self._bridge.notify))

    def _look_for_stations(self) -> None:
        """Begin stations on workers that the engine has got since."""
        assert self._bridge is not None
        known = {line.address.name for line in self._bridge.lines if line.lost is None}
        new = [address for address in self._carrier.addresses() if address.name not in known]
        if new:
            unseen = [address for address in new if address.name not in self._answers]
            if unseen:
                self._answers.update(check(self._carrier, unseen))
            self._open_stations(new)

    def _line_with_room(self) -> Line | None:
        """Return the station that has most slots free, None when none has any."""
        assert self._bridge is not None
        best, most = None, 0
        for line in self._bridge.lines:
            free = line.address.slots - len(line.numbers)
            if line.lost is None and free > most:
                best, most = line, free
        return best

    # --- workers

    def gather(self) -> None:
        """Take in what has become of stations; begin workers where some are missing."""
        bridge = self._bridge
        if bridge is None or self._core is None:
            return
        if bridge.failure is not None:
            self._failure = bridge.failure
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK
            self._look_for_stations()
        if len(self._core.workers()) < self._wanted and self._failure is None:
            self._fork_missing()

    def kill(self, worker: int, grace: float = 0.0) -> None:
        """End a worker and its process group: SIGTERM, and SIGKILL after `grace` seconds. `LOST` follows."""
        self._check()
        if self._bridge is not None and worker in self._workers:
            self._killed.add(worker)
            self._bridge.kill(worker, grace)

    def lost(self, ticket: int, worker: int, has_begun: bool, reason: str) -> Lost:
        """What is known of a death that a `LOST` event tells of."""
        lost = super().lost(ticket, worker, has_begun, reason)
        why = None if self._bridge is None else self._bridge.lost_with.pop(worker, None)
        return lost if why is None else lost._replace(reason=why, signal=None, code=None, is_of_station=True)

    def speaker(self, worker: int) -> int | None:
        """The ticket of the task that said something last in a worker; asked only where output is shown at once."""
        if not self._is_live and self._bridge is not None:
            self._is_live = True
            self._bridge.tell_all(messages.LIVE)
        return super().speaker(worker)

    def settle(self, wait: float = 2.0) -> bool:
        """After a run: wait a moment for what was given up and whoever was killed; True if nothing is left."""
        if self._bridge is None:
            return not self.closed
        settled = super().settle(wait) and self._carrier.keeps_warm
        if settled:
            self._bridge.rest(_QUIET)
        return settled

    def shutdown(self, grace: float = 0.2) -> None:
        """End all stations."""
        if self.closed or os.getpid() != self._owner:
            return
        try:
            if self._bridge is not None:
                self._bridge.close(grace)
        finally:
            self._carrier.close()
            super().shutdown(grace)

    def disown(self) -> None:
        """In a forked child: close our copies of the descriptors, and touch nothing else."""
        if self._bridge is not None:
            self._bridge.disown()
        super().disown()

    def _fork_missing(self) -> None:
        assert self._core is not None
        for _ in range(self._wanted - len(self._core.workers())):
            line = self._line_with_room()
            if line is None:
                break
            self._fork_on(line)
        self._check_alone()

    def _check_alone(self) -> None:
        """Wait for the engine to have workers, but not for ever."""
        assert self._bridge is not None
        if any(line.lost is None for line in self._bridge.lines):
            self._alone_since = None
            return
        now = time.monotonic()
        if self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > _PATIENCE:
            last = self._bridge.lines[-1].lost if self._bridge.lines else "it never had any"
            raise CannotStart(f"{self._carrier.name} has had no workers for {_PATIENCE:.0f} seconds ({last})")

    def _fork_on(self, line: Line) -> None:
        assert self._core is not None
        assert self._bridge is not None
        process = WorkerProcess()
        process.end()  # what it writes comes by the line
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        claims = memory_file("graflow-claims")
        number = process.number = self._core.add_worker_elsewhere(ours.detach(), os.dup(claims))
        self._workers[number] = process
        self._bridge.add_worker(line, NearWorker(process, theirs, claims))

    def _renew_server(self) -> None:
        """Nothing: templates are the stations'."""

    def _await_workers(self, numbers: list[int] | None = None) -> None:
        """Nothing: what is sent to a worker waits until it is there."""


def _end_apart() -> None:
    from graflow_fast._wire.shared.values import Apart

    Apart.pools -= 1


def _write_byte(descriptor: int) -> None:
    try:
        os.write(descriptor, b"\0")
    except OSError:
        return
