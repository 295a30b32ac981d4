"""Workers that have grown: a leak in a body, or in a library it uses, should not stay until memory runs out.

Owns the bound and when to look. A worker over the bound ends when it has finished what it has begun, between tasks.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from graflow_fast.core.definition import parse_bytes

if TYPE_CHECKING:
    from graflow_fast._pool.process_pool import ProcessPool

#: Environment variable with the bound, as a size such as "2GB"; else `default_bound` decides.
VARIABLE = "GRAFLOW_FAST_WORKER_MEMORY"
#: A worker is looked at after every task that took longer than this many seconds ...
_LONG_TASK = 0.05
#: ... and all are, once in so many seconds.
_INTERVAL = 0.5

_PAGE = os.sysconf("SC_PAGE_SIZE")


def default_bound(workers: int) -> int:
    """Return half of the machine's memory, shared by the workers."""
    return _PAGE * os.sysconf("SC_PHYS_PAGES") // (2 * workers)


class Growth:
    """Recycles the workers of a pool that have grown past the bound."""

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool
        self._bound = parse_bytes(os.environ.get(VARIABLE)) or default_bound(pool.size)
        self._next_look = time.monotonic() + _INTERVAL

    def after_task(self, worker: int, seconds: float) -> None:
        """Look at the worker of a task that ended."""
        if seconds > _LONG_TASK:
            self._look_at(worker)

    def patience(self, timeout: float | None) -> float:
        """Return how many seconds may pass until the next look, at most ``timeout``."""
        left = max(0.0, self._next_look - time.monotonic()) + 0.001
        return left if timeout is None else min(left, timeout)

    def sometimes(self) -> None:
        """Take in which workers have started, and look at all of them, if it is time."""
        self._pool.gather()
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _INTERVAL
        for worker in self._pool.core.workers():
            self._look_at(worker)

    def _look_at(self, worker: int) -> None:
        if self._pool.core.memory_of(worker, self._bound) > self._bound:
            self._pool.recycle(worker)
