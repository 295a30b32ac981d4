"""Bodies in workers that run much longer than others of their function: told to the log, each once.

Owns when that is looked at, and how long is too long. What is said and who hears of it is the log's.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from graflow_fast._places.tickets import is_chunk

if TYPE_CHECKING:
    from graflow_fast._core import Pool
    from graflow_fast._places.host import Attempts, Teller

#: Seconds between two looks.
INTERVAL = 5.0
#: A body is slow that has run for so many seconds, and so many times as long as others of its function took.
LEAST, TIMES = 10.0, 5.0


class SlowBodies:
    """Tells of one run's slow bodies."""

    def __init__(self, log: Teller, attempts: Attempts, core: Pool) -> None:
        self._log = log
        self._attempts = attempts
        self._core = core
        self._next_look = time.monotonic() + INTERVAL
        self._told: set[int] = set()

    def patience(self, timeout: float | None) -> float:
        """Return how many seconds may pass until the next look, at most ``timeout``."""
        left = max(0.0, self._next_look - time.monotonic()) + 0.001
        return left if timeout is None else min(left, timeout)

    def look(self) -> None:
        """Tell of those that have become slow, if it is time."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + INTERVAL
        slow = set()
        for ticket, pid, seconds, others in self._core.long_bodies(LEAST):
            if others is None or seconds < TIMES * others:
                continue
            slow.add(ticket)
            attempt = None if ticket in self._told else self._attempts.find(ticket)
            if attempt is not None:
                more = attempt.size - 1 if is_chunk(attempt) else 0
                self._log.slow(attempt.task_id, more, seconds, others, pid)
        self._told = slow
