"""What is known of a worker's death, as one value.

Whoever runs workers hands it over with the news: all that is asked of a death afterwards is in it, so it is the same
whether the process was here or on another machine. Knows neither tasks nor what follows from a death.
"""

from __future__ import annotations

import os
import signal as signals
from typing import Any, NamedTuple

#: One piece of output: its kind and content, as `_wire.crossing` has them.
Piece = tuple[int, Any]


class Lost(NamedTuple):
    """A worker that is gone, and with it the task that it was running.

    Attributes:
        ticket: the task, -1 when it was running none.
        worker: its number in the pool.
        pid: its process; 0 when nobody could tell.
        has_begun: whether it had ever begun a task. One that ends by itself before that can't work at all.
        reason: how its end was noticed.
        signal: the signal that killed it; None when none did, or nobody could tell.
        code: its exit code; None when it has none, or nobody could tell.
        peak_rss_bytes: the most memory it had resident; None when nobody could tell.
        said: what the task had printed, logged and warned by Python's means.
        written: what it wrote to its descriptors since the last report that told of that: by C code, subprocesses, and
            in the end by Python's fault handler.
        is_of_station: whether all workers of its machine, or of an engine's worker, were lost with it.
    """

    ticket: int
    worker: int
    pid: int
    has_begun: bool
    reason: str
    signal: int | None
    code: int | None
    peak_rss_bytes: int | None
    said: list[Piece]
    written: list[Piece]
    is_of_station: bool = False

    @property
    def could_not_start(self) -> bool:
        """Whether it ended by itself, with an error, before any task: the next one would fare no better."""
        return not self.has_begun and self.code is not None and self.code != 0

    def __str__(self) -> str:
        """How it ended."""
        if self.signal is not None:
            try:
                return f"killed by {signals.Signals(self.signal).name}"
            except ValueError:
                return f"killed by signal {self.signal}"
        return "ended" if self.code is None else f"exited with code {self.code}"


def read_status(status: int) -> tuple[int | None, int | None]:
    """Return the signal and the exit code that a wait status tells of; one of them is None."""
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status), None
    return None, os.WEXITSTATUS(status)


def is_running(pid: int) -> bool:
    """Whether a process has not ended yet."""
    import psutil  # type: ignore[import-untyped]

    try:
        return pid > 0 and psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
