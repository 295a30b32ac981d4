"""Bodies that did not end well: their worker died, they were over their limits, or nobody wants them any more.

Owns whom a death is charged to, and which workers are killed for a task's sake. How many deaths a task may cost is
`deaths`', what one looks like in words is `crashes`'.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._pool.process_pool import CannotStart, ExitInfo
from graflow_fast._run.crashes import crash_report, without_own_frames
from graflow_fast._run.deaths import MOST_KILLS, Deaths, Streak, Victim
from graflow_fast._run.maps.batches import MAP_TICKETS
from graflow_fast._run.output import STDERR, STDOUT, Piece
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    TaskMemoryError,
    TaskSerializationError,
    TaskTimeoutError,
    WorkerCrashedError,
)

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.processes import Processes

#: Seconds before a task whose worker died runs again, times its deaths in a row, and at most: it is not to be the first
#: task of the next young worker.
_QUARANTINE = 0.02
_LONGEST_QUARANTINE = 0.5

_MEMORY_INTERVAL = 0.05

#: Seconds for an attempt that was given up to end by itself: shorter than starting another worker takes.
_PATIENCE = 0.005

#: Seconds between asking a worker to end and making it: when its task is over its time, when the run is interrupted.
_GRACE = 0.5
_GRACE_WHEN_INTERRUPTED = 0.3


class Losses:
    """What one run has lost, and what it has stopped."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.run = processes.run
        self.pool = processes.pool
        self.core = processes.core
        self.deaths = Deaths()
        self._killed_for: dict[int, BaseException] = {}
        #: By ticket: bytes that the worker of a running attempt may hold.
        self._memory_limits: dict[int, int] = {}
        #: Attempts whose outcome no longer matters, and until when they may end by themselves.
        self.given_up: dict[int, float] = {}
        self._next_memory_check = 0.0
        #: Workers that were killed for a task's sake; another task may have begun there meanwhile.
        self._killed_workers: set[int] = set()

    def limit_memory(self, ticket: int, limit: int | None) -> None:
        """Watch how much memory an attempt's worker holds, unless there is no limit."""
        if limit is not None:
            self._memory_limits[ticket] = limit

    def look_around(self, timeout: float | None) -> float | None:
        """Look after limits before the pool is waited for; return how long to wait at most."""
        if self._memory_limits:
            timeout = _MEMORY_INTERVAL if timeout is None else min(timeout, _MEMORY_INTERVAL)
            self._check_memory()
        if self.given_up:
            timeout = _PATIENCE if timeout is None else min(timeout, _PATIENCE)
        return timeout

    def reported(self, ticket: int) -> BaseException | None:
        """Note that an attempt ended; return why its worker was being stopped, None when it wasn't."""
        self._memory_limits.pop(ticket, None)
        return self._killed_for.pop(ticket, None) if self._killed_for else None

    def lost(self, ticket: int, worker: int, pid: int, why: str) -> None:
        """Note that a worker died, and with it the attempt ``ticket`` (-1: it ran none)."""
        is_ours = worker in self._killed_workers
        if ticket < 0:
            if self.deaths.streaks and not is_ours:
                self.deaths.noted(self.pool.exit_info(pid))
            self._refill()
            return
        info = self.pool.exit_info(pid)
        if not is_ours:
            self.deaths.noted(info)
        pieces, _ = self.pool.pieces_of(worker, ticket)
        if self.processes.live_output is not None:
            pieces = self.processes.live_output.rest(ticket, pieces)
        pieces = without_own_frames(pieces + self.last_output(worker))
        self._refill()
        self.processes.sending.release(ticket)
        self.processes.requests.release(ticket)
        self._memory_limits.pop(ticket, None)
        attempt = self.run.attempts.take(ticket)
        error: Any = self._killed_for.pop(ticket, None)
        journal = self.processes.requests.journal
        if attempt is None:
            journal.forget(ticket)
            return
        if error is None and is_ours:  # killed for another task's sake, which this one came after
            self._run_uncharged(attempt)
            return
        if ticket >= MAP_TICKETS:
            self._lost_chunk(attempt, info, why, pieces, error)
            return
        if attempt.lease and error is None:
            self._run_uncharged(attempt)
            return
        journal.forget(ticket)
        attempt.branch.output.write(pieces)
        if error is not None:
            self.run.outcomes.failed(attempt, error)
        else:
            self._crashed(attempt, info, why, pieces)

    def _refill(self) -> None:
        try:
            self.pool.refill()
        except CannotStart as error:
            raise GraflowRuntimeError(str(error)) from error

    def not_received(self, attempt: Attempt, error: OSError) -> None:
        """Fail an attempt whose result is there, but can't be taken in."""
        failure = TaskSerializationError(attempt.task_id, "the result", "", error)
        if attempt.ticket >= MAP_TICKETS:
            attempt.map.lost(attempt, failure)  # type: ignore[attr-defined]
        else:
            self.run.outcomes.failed(attempt, failure)

    def unheard(self, attempt: Attempt, worker: int) -> None:
        """Have a body run anew whose worker ended with its result: no fault of the body but if it is always so."""
        is_chunk = attempt.ticket >= MAP_TICKETS
        if is_chunk and attempt.size > 1:  # type: ignore[attr-defined]
            self._run_uncharged(attempt)
            return
        info = self.pool.exit_info(self.pool.pid(worker))
        error, streak = self._charge(attempt, info, "with its result", [])
        if not streak.is_poison and streak.length < MOST_KILLS:
            self._run_uncharged(attempt)
        elif is_chunk:
            attempt.map.lost(attempt, error, hopeless=True)  # type: ignore[attr-defined]
        else:
            self.run.outcomes.failed_for_good(attempt, error)

    def _crashed(self, attempt: Attempt, info: ExitInfo, why: str, pieces: list[Piece]) -> None:
        """Charge an attempt with the death of its worker."""
        error, streak = self._charge(attempt, info, why, pieces)
        if streak.is_poison:
            self.run.outcomes.failed_for_good(attempt, error)
        else:
            self.run.outcomes.failed(attempt, error, _quarantine(streak))

    def _charge(
        self, attempt: Attempt, info: ExitInfo, why: str, pieces: list[Piece]
    ) -> tuple[WorkerCrashedError, Streak]:
        """Count a death against an attempt; return its error, and the deaths in a row."""
        streak = self.deaths.charge(_victim(attempt), attempt.number, info)
        deaths = streak.length if streak.is_poison else 0
        return crash_report(attempt.task_id, attempt.number + 1, info, why, pieces, deaths), streak

    def survived(self, attempt: Attempt) -> None:
        """Note that an attempt ended without its worker's death."""
        self.deaths.survived(_victim(attempt))

    def _run_uncharged(self, attempt: Attempt) -> None:
        """Run an attempt again that was lost through no fault of its body; what it has done live is not done twice.

        What it printed is dropped. Of a lease nothing has been applied, and whose fault it was is not known: it is
        repeated one step at a time.
        """
        if attempt.ticket >= MAP_TICKETS:
            attempt.map.lost(attempt, None)  # type: ignore[attr-defined]
            self.processes.requests.journal.forget(attempt.ticket)
            return
        if attempt.lease:
            assert self.processes.steps is not None
            self.processes.steps.lost(attempt)
            attempt.lease = 0
        self.run.attempts.running[attempt.ticket] = attempt
        self.processes.submit(attempt)

    def _lost_chunk(self, chunk: Any, info: ExitInfo, why: str, pieces: list[Piece], error: Any) -> None:
        """Charge a single item with the death of its worker; of several it is not known which was running."""
        if chunk.size > 1:
            self._run_uncharged(chunk)
            return
        if pieces:
            chunk.batch.pieces.append((chunk.position, pieces))
        if error is not None:
            chunk.map.lost(chunk, error)
        else:
            error, streak = self._charge(chunk, info, why, pieces)
            chunk.map.lost(chunk, error, hopeless=streak.is_poison, least_delay=_quarantine(streak))
        self.processes.requests.journal.forget(chunk.ticket)

    def timed_out(self, ticket: int, worker: int, seconds: float) -> None:
        """Stop an attempt that has been running for too long."""
        attempt = self.run.attempts.running.get(ticket)
        if attempt is None or ticket in self._killed_for:
            return
        definition = attempt.task._definition  # type: ignore[attr-defined]
        limit = definition.timeout if definition.timeout is not None else self.run.settings.timeout
        self._killed_for[ticket] = TaskTimeoutError(attempt.task_id, attempt.number + 1, limit)
        self._killed_workers.add(worker)
        self.pool.kill(worker, grace=_GRACE)

    def last_output(self, worker: int, until: tuple[int, int] | None = None) -> list[Piece]:
        """Return what a worker wrote to its descriptors, around Python or before it died."""
        out, err = self.pool.drain_output(worker, until)
        written = ((STDOUT, out), (STDERR, err))
        return [(kind, data.decode(errors="replace")) for kind, data in written if data]

    def _check_memory(self) -> None:
        now = time.monotonic()
        if now < self._next_memory_check:
            return
        self._next_memory_check = now + _MEMORY_INTERVAL
        for ticket, limit in list(self._memory_limits.items()):
            worker = self.core.running_on(ticket)
            if worker < 0 or ticket in self._killed_for:
                continue
            used = self.pool.worker_memory(worker, limit)
            attempt = self.run.attempts.running.get(ticket)
            if used > limit and attempt is not None:
                self._killed_for[ticket] = TaskMemoryError(attempt.task_id, attempt.number + 1, limit, used)
                self._killed_workers.add(worker)
                self.pool.kill(worker, grace=0.0)

    def abandon(self, attempt: Attempt) -> None:
        """Stop an attempt whose outcome no longer matters."""
        ticket = attempt.ticket
        self._memory_limits.pop(ticket, None)
        self.processes.sending.release(ticket)
        self.processes.requests.release(ticket)
        if self.core.cancel(ticket) == 2:
            self.given_up[ticket] = time.monotonic() + _PATIENCE

    def kill_given_up(self, now: float, grace: float = 0.0) -> None:
        """Kill the workers of attempts that were given up and have not ended by themselves in time."""
        for ticket, deadline in list(self.given_up.items()):
            worker = self.core.running_on(ticket)
            if worker >= 0 and now < deadline:
                continue
            del self.given_up[ticket]
            if worker >= 0:
                self._killed_workers.add(worker)
                self.pool.kill(worker, grace)

    def stop_all(self, interrupted: bool) -> None:
        """Stop whatever is still running."""
        grace = _GRACE_WHEN_INTERRUPTED if interrupted else 0.0
        for attempt in list(self.run.attempts.running.values()):
            self.abandon(attempt)
        self.run.attempts.running.clear()
        while self.given_up:
            self.kill_given_up(time.monotonic(), grace)
            if self.given_up:
                self.core.poll(_PATIENCE)


def _victim(attempt: Any) -> Victim:
    """Return what a death is counted against: a node in its branch, or an item of a map."""
    if attempt.ticket >= MAP_TICKETS:
        return attempt.branch.id, attempt.node, attempt.first
    return attempt.branch.id, attempt.node


def _quarantine(streak: Streak) -> float:
    """Return the seconds before a task whose worker died runs again."""
    return min(_QUARANTINE * streak.length, _LONGEST_QUARANTINE)
