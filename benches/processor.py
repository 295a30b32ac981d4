"""Owns processor time: of this process and of its workers, while some work runs.

Wall time says what a user waits; on a machine that others use as well it says little about the program. Processor time
stays what it is, a quarter more or less, and says on which side the work is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from contest import stopwatch

COORDINATOR, WORKERS = "processor time of the coordinator, µs each", "processor time of all workers, µs each"


def watched(work: Callable[[], object], count: int) -> tuple[float, dict[str, float]]:
    """Seconds that `work` takes, and the processor time of both sides for each of `count` tasks, in µs.

    Workers that start while it runs count in full; those that end are not seen, so warm up the pool first.
    """
    workers, here = _descendants(), time.process_time()
    seconds = stopwatch(work)
    here = time.process_time() - here
    since = sum(now - workers.get(pid, 0) for pid, now in _descendants().items())
    return seconds, {COORDINATOR: here / count * 1e6, WORKERS: since / count / 1000}


def _descendants() -> dict[int, int]:
    """Nanoseconds of processor time of all children and theirs, by process id."""
    found: dict[int, int] = {}
    parents = [Path("/proc/self")]
    while parents:
        for listed in parents.pop().glob("task/*/children"):
            for child in listed.read_text().split():
                try:
                    spent = int(Path(f"/proc/{child}/schedstat").read_text().split()[0])
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has ended meanwhile
                found[int(child)] = spent
                parents.append(Path(f"/proc/{child}"))
    return found
