"""Bodies that did not end well: their worker died, they were over their limits, or nobody wants them any more.

Owns whom a death is charged to, and which workers are killed for a task's sake. How many deaths a task may cost is
`deaths`', what one looks like in words is `crashes`'.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._body.output import Piece
from graflow_fast._places.process.crashes import crash_report, without_own_frames
from graflow_fast._places.process.deaths import MOST_KILLS, Deaths, Streak
from graflow_fast._places.tickets import is_chunk
from graflow_fast._pool.lost import Lost
from graflow_fast._pool.process_pool import LOST
from graflow_fast._pool.starting import CannotStart
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    TaskMemoryError,
    TaskSerializationError,
    TaskTimeoutError,
    WorkerCrashedError,
)

if TYPE_CHECKING:
    from graflow_fast._places.attempt import Attempt
    from graflow_fast._places.process.processes import Processes

#: Seconds before a task whose worker died runs again, times its deaths in a row, and at most: it is not to be the first
#: task of the next young worker.
_QUARANTINE = 0.02
_LONGEST_QUARANTINE = 0.5

#: Seconds for an attempt that was given up to end by itself: shorter than starting another worker takes.
_PATIENCE = 0.005

#: Seconds between asking a worker to end and making it: when its task is over its time, when the run is interrupted.
_GRACE = 0.5
_GRACE_WHEN_INTERRUPTED = 0.3


class Losses:
    """What one run has lost, and what it has stopped."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.host = processes.host
        self.attempts = processes.host.attempts
        self.pool = processes.pool
        self.core = processes.core
        self.deaths = Deaths()
        self._killed_for: dict[int, BaseException] = {}
        #: Attempts whose outcome no longer matters, and until when they may end by themselves.
        self.given_up: dict[int, float] = {}
        #: Whether there was one, of which nothing is to be shown.
        self.gave_up = False
        #: Workers that were killed for a task's sake; another task may have begun there meanwhile.
        self._killed_workers: set[int] = set()

    def look_around(self, timeout: float | None) -> float | None:
        """Return how long the pool may be waited for, at most ``timeout``."""
        if self.given_up:
            timeout = _PATIENCE if timeout is None else min(timeout, _PATIENCE)
        return timeout

    def reported(self, ticket: int) -> BaseException | None:
        """Note that an attempt ended; return why its worker was being stopped, None when it wasn't."""
        return self._killed_for.pop(ticket, None) if self._killed_for else None

    def lost(self, lost: Lost) -> None:
        """Note that a worker died, and with it the attempt that it was running."""
        ticket = lost.ticket
        is_ours = lost.worker in self._killed_workers
        if not is_ours:
            self.deaths.noted(lost)
        if ticket < 0:
            if not is_ours and (lost.signal is not None or lost.code):
                self._tell(lost, "it was running nothing, and another one takes its place")
            self.refill()
            return
        pieces = lost.said
        if self.processes.live_output is not None:
            pieces = self.processes.live_output.rest(ticket, pieces)
        pieces = without_own_frames(pieces + lost.written)
        self.refill()
        self.processes.sending.release(ticket)
        self.processes.requests.release(ticket)
        attempt = self.attempts.find(ticket)
        error = self._killed_for.pop(ticket, None)
        if attempt is not None:
            self._lost_with(attempt, lost, pieces, error, is_ours)
        if attempt is None or not (error is None and is_ours):
            self.processes.requests.journal.forget(ticket)

    def _lost_with(
        self, attempt: Attempt, lost: Lost, pieces: list[Piece], error: BaseException | None, is_ours: bool
    ) -> None:
        """Note that an attempt was lost, having said this: with an error if its worker was killed for its sake."""
        if error is None and is_ours:  # killed for another task's sake, which this one came after
            self._run_uncharged(attempt)
            return
        self.attempts.take(attempt.ticket)
        if is_chunk(attempt) and attempt.size > 1:  # it is not known which of its items was running
            if error is None:
                more = f"'{attempt.task_id}' and {attempt.size - 1} more items"
                self._tell(lost, f"{more}, which it was running, run again one by one")
            self._run_uncharged(attempt)
            return
        attempt.said(pieces)
        if error is not None:
            attempt.failed(error)
            return
        crash, streak = self._charge(attempt, lost, pieces)
        attempt.failed(crash, 0.0 if streak.is_poison else _quarantine(streak), streak.is_poison)

    def _tell(self, lost: Lost, then: str) -> None:
        """Tell the log of a death that costs no task."""
        if self.host.log is not None:
            how = str(lost) if lost.reason == "its process ended" else lost.reason
            self.host.log.lost_worker(lost.pid, how, then)

    def refill(self) -> None:
        """Begin starting workers in the place of those that are gone.

        Raises:
            GraflowRuntimeError: none can be started.
        """
        try:
            self.pool.refill()
        except CannotStart as error:
            raise GraflowRuntimeError(str(error)) from error

    def fail(self, attempt: Attempt, error: BaseException, is_final: bool = False) -> None:
        """Let an attempt fail; of a chunk of several items each runs again on its own."""
        self.attempts.take(attempt.ticket)
        if is_chunk(attempt) and attempt.size > 1:
            attempt.lost(self.processes.requests.journal.take(attempt.ticket))
        else:
            attempt.failed(error, is_final=is_final)

    def not_received(self, attempt: Attempt, error: OSError) -> None:
        """Fail an attempt whose result is there, but can't be taken in."""
        self.fail(attempt, TaskSerializationError(attempt.task_id, "the result", "", error))

    def unheard(self, attempt: Attempt, worker: int) -> None:
        """Have a body run anew whose worker ended with its result: no fault of the body but if it is always so."""
        if is_chunk(attempt) and attempt.size > 1:
            self._run_uncharged(attempt)
            return
        lost = self.pool.lost(attempt.ticket, worker, True, "with its result")
        error, streak = self._charge(attempt, lost, [])
        if not streak.is_poison and streak.length < MOST_KILLS:
            self._tell(lost, f"task '{attempt.task_id}' runs again, since its result was lost, too")
            self._run_uncharged(attempt)
        else:
            self.fail(attempt, error, is_final=True)

    def _charge(self, attempt: Attempt, lost: Lost, pieces: list[Piece]) -> tuple[WorkerCrashedError, Streak]:
        """Count a death against an attempt; return its error, and the deaths in a row."""
        streak = self.deaths.charge(attempt.victim, attempt.number, lost)
        deaths = streak.length if streak.is_poison else 0
        return crash_report(attempt.task_id, attempt.number + 1, lost, pieces, deaths), streak

    def survived(self, attempt: Attempt) -> None:
        """Note that an attempt ended without its worker's death."""
        self.deaths.survived(attempt.victim)

    def _run_uncharged(self, attempt: Attempt) -> None:
        """Run an attempt again that was lost through no fault of its body; what it has done live is not done twice.

        What it printed is dropped.
        """
        if is_chunk(attempt):
            journal = self.processes.requests.journal
            self.attempts.running.pop(attempt.ticket, None)
            attempt.lost(journal.take(attempt.ticket))
            journal.forget(attempt.ticket)
            return
        self.processes.feed.send_again(attempt.ticket)

    def timed_out(self, ticket: int, worker: int, seconds: float) -> None:
        """Stop an attempt that has been running for too long."""
        attempt = self._to_be_stopped(ticket)
        if attempt is not None:
            limit = self._limit(attempt, "timeout")
            self._stop(ticket, worker, TaskTimeoutError(attempt.task_id, attempt.number + 1, limit), _GRACE)

    def over_memory(self, ticket: int, worker: int, used: int) -> None:
        """Stop an attempt whose worker has more memory than it may: ``used`` bytes."""
        attempt = self._to_be_stopped(ticket)
        if attempt is not None:
            limit = self._limit(attempt, "memory_limit")
            self._stop(ticket, worker, TaskMemoryError(attempt.task_id, attempt.number + 1, limit, used), 0.0)

    def _limit(self, attempt: Attempt, name: str) -> Any:
        """Return what an attempt must keep within: its task's limit, else the run's."""
        own = getattr(attempt.task._definition, name)  # type: ignore[attr-defined]
        limit = getattr(self.host.settings, name) if own is None else own
        assert limit is not None, "only what has a limit is watched"
        return limit

    def _to_be_stopped(self, ticket: int) -> Attempt | None:
        return None if ticket in self._killed_for else self.attempts.find(ticket)

    def _stop(self, ticket: int, worker: int, error: BaseException, grace: float) -> None:
        self.processes.feed.attend(ticket)
        self._killed_for[ticket] = error
        self._killed_workers.add(worker)
        self.pool.kill(worker, grace)

    def give_up(self, ticket: int) -> None:
        """Stop an attempt whose outcome no longer matters."""
        self.gave_up = True
        self.processes.sending.release(ticket)
        self.processes.requests.release(ticket)
        if self.core.cancel(ticket) == 2:
            self.given_up[ticket] = time.monotonic() + _PATIENCE

    def kill_given_up(self, now: float, grace: float = 0.0) -> None:
        """Kill the workers of attempts that were given up and have not ended by themselves in time."""
        for ticket, deadline in list(self.given_up.items()):
            worker = self.core.running_on(ticket)
            if (worker >= 0 and now < deadline) or self.core.is_in_doubt(ticket):
                continue
            del self.given_up[ticket]
            if worker >= 0:
                self._killed_workers.add(worker)
                self.pool.kill(worker, grace)

    def stop_all(self, interrupted: bool) -> None:
        """Stop whatever is still running."""
        grace = _GRACE_WHEN_INTERRUPTED if interrupted else 0.0
        for ticket in list(self.attempts.running):
            self.attempts.take(ticket)
            self.give_up(ticket)
        self.attempts.running.clear()
        while self.given_up:
            self.kill_given_up(time.monotonic(), grace)
            if self.given_up:
                for event in self.core.poll(_PATIENCE):
                    if event[0] == LOST:
                        self.pool.lost(*event[1:])


def _quarantine(streak: Streak) -> float:
    """Return the seconds before a task whose worker died runs again."""
    return min(_QUARANTINE * streak.length, _LONGEST_QUARANTINE)
