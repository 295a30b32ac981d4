"""Owns the loops over `ProcessPoolExecutor` that people write by hand for what the rows of *No cliffs* do.

A loop does the same work in the shortest way a good programmer would write down, so it promises less: no retry, no
order of prints, no result under a name, no limit on a task.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from bodies import give, log, noop, say, take
from contest import WORKERS, stopwatch
from drain import Drain

_shared: Any = None  # the number that workers of `add_shared` add to


def _start(shared: Any) -> None:
    global _shared
    _shared = shared
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)


def call(packed: bytes) -> Any:
    """Call a function that only cloudpickle can send."""
    import cloudpickle

    return cloudpickle.loads(packed)()


def define(number: int) -> bytes:
    """Make a function that remembers something, and hand it back to be submitted."""
    import cloudpickle

    def more() -> int:
        return number

    return bytes(cloudpickle.dumps(more))


def say_now(number: int) -> None:
    """Print one line, at once: a forked worker ends without writing out what it buffers."""
    say(number)
    sys.stdout.flush()


def add_shared(number: int) -> None:
    """Add to a number in shared memory, under its lock."""
    with _shared.get_lock():
        _shared.value += 1


def _closures(pool: ProcessPoolExecutor, size: int) -> None:
    import cloudpickle

    def make(number: int) -> Callable[[], int]:
        def body() -> int:
            return number

        return body

    futures = [pool.submit(call, cloudpickle.dumps(make(number))) for number in range(size)]
    if [future.result() for future in futures] != list(range(size)):
        raise RuntimeError("closures gave wrong results")


def _enqueueing(pool: ProcessPoolExecutor, size: int) -> None:
    firsts = [pool.submit(define, number) for number in range(size)]
    seconds = [pool.submit(call, future.result()) for future in firsts]
    if [future.result() for future in seconds] != list(range(size)):
        raise RuntimeError("closures gave wrong results")


def _twice(pool: ProcessPoolExecutor, size: int) -> None:
    firsts = [pool.submit(noop) for _ in range(size)]
    seconds = []
    for future in firsts:
        future.result()
        seconds.append(pool.submit(noop))
    for future in seconds:
        future.result()


def _calls(body: Callable[[Any], Any], argument: Any = None) -> Callable[[ProcessPoolExecutor, int], None]:
    def work(pool: ProcessPoolExecutor, size: int) -> None:
        futures = [pool.submit(body, number if argument is None else argument) for number in range(size)]
        for future in futures:
            future.result()

    return work


LOOPS: dict[str, Callable[[ProcessPoolExecutor, int], None]] = {
    "noop": _calls(noop),
    "take": _calls(take, list(range(10))),
    "give": _calls(give),
    "say": _calls(say_now),
    "log": _calls(log),
    "adding": _calls(add_shared),
    "closures": _closures,
    "enqueueing": _enqueueing,
    "iterating": _twice,
}


class PebbleTimeout:
    """pebble, which alone of the peers can limit the time of a task: µs a task."""

    def __init__(self) -> None:
        from pebble import ProcessPool

        self._pool = ProcessPool(max_workers=WORKERS)

    def run(self, size: int) -> float:
        def work() -> None:
            for future in [self._pool.schedule(noop, timeout=60) for _ in range(size)]:
                future.result()

        return stopwatch(work) / size * 1e6

    def close(self) -> None:
        self._pool.stop()
        self._pool.join()


class Loop:
    """One of the loops: µs a member."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._drain = Drain() if kind in ("say", "log") else None
        self._number: Any = multiprocessing.Value("q", 0)
        self._pool = ProcessPoolExecutor(WORKERS, initializer=_start, initargs=(self._number,))

    def run(self, size: int) -> float:
        self._number.value = 0
        seconds = stopwatch(lambda: LOOPS[self._kind](self._pool, size))
        if self._kind == "adding" and self._number.value != size:
            raise RuntimeError(f"{self._number.value} of {size} were added")
        if self._drain is not None and (lines := self._drain.lines()) != size:
            raise RuntimeError(f"{lines} lines of {size} were printed")
        return seconds / size * 1e6

    def close(self) -> None:
        self._pool.shutdown()
        if self._drain is not None:
            self._drain.close()
