"""Owns row S14: calls without a workflow, through the interface of `concurrent.futures` that all of these have."""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from bodies import noop
from contest import WORKERS, Entry, Goal, Row, stopwatch

OURS = "graflow_fast.Executor"
#: Where the executors are, by the name that their line has.
_HOMES = {
    OURS: "graflow_fast:Executor",
    "ProcessPoolExecutor": "concurrent.futures:ProcessPoolExecutor",
    "loky": "loky:ProcessPoolExecutor",
}


class Calls:
    """Microseconds a call of a function that does nothing."""

    def __init__(self, executor: str, way: str) -> None:
        module, _, name = _HOMES[executor].partition(":")
        self._pool: Executor = getattr(importlib.import_module(module), name)(max_workers=WORKERS)
        self._run: Callable[[int], Any] = getattr(self, f"_{way}")

    def run(self, size: int) -> float:
        return stopwatch(lambda: self._run(size)) / size * 1e6

    def _submit(self, size: int) -> None:
        for future in [self._pool.submit(noop, number) for number in range(size)]:
            future.result()

    def _map(self, size: int) -> None:
        deque(self._pool.map(noop, range(size)), maxlen=0)

    def _chunks(self, size: int) -> None:
        deque(self._pool.map(noop, range(size), chunksize=100), maxlen=0)

    def _lone(self, size: int) -> None:
        for number in range(size):
            self._pool.submit(noop, number).result()

    def close(self) -> None:
        self._pool.shutdown()


def _row(key: str, way: str, work: str, size: int, goals: list[Goal]) -> Callable[[bool], Row]:
    def make(quick: bool) -> Row:
        calls = size // 5 if quick else size
        entries = [Entry(label, "calls:Calls", calls, {"executor": label, "way": way}) for label in _HOMES]
        return Row(key=key, work=work, unit="µs", entries=entries, goals=goals, runs=3 if quick else 5)

    return make


_SUBMIT = [Goal("≤ 20 µs a future", OURS, 20)]

ROWS = {
    "S14a": _row("S14a", "submit", "5 000 calls by `submit`, no-op", 5_000, _SUBMIT),
    "S14b": _row("S14b", "map", "5 000 calls by `Executor.map`, one at a time", 5_000, []),
    "S14c": _row("S14c", "chunks", "100 000 calls by `Executor.map`, 100 at a time", 100_000, []),
    "S14d": _row("S14d", "lone", "one lone call by `submit`, there and back", 1_000, []),
}
