"""Owns the contestants of rows D9 and D12: results that are kept from one run to the next, and removing old runs."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contest import stopwatch
from engines import Engine


def work(number: int) -> tuple[int, str]:
    """What is kept: small."""
    return number, "kept"


def total(array: Any) -> float:
    """What is kept of a large argument."""
    return float(array[0])


class Hits(Engine):
    """A chain of cached tasks whose results are all there: µs a hit, from the call to the result."""

    def __init__(self) -> None:
        super().__init__(executor="inline")
        os.environ["GRAFLOW_FAST_STORE"] = str(Path("kept/runs.db").absolute())

    def run(self, size: int) -> float:
        for kept in (False, True):
            cached = self.library.task(cache=True)(work)
            with self.library.workflow("hits") as flow:
                self.library.chain(*[cached(task_id=f"n{i}", number=i) for i in range(size)])
            seconds, context = self._timed(flow, size)
            if kept and "taken from the cache" not in context.explain(f"n{size - 1}"):
                raise RuntimeError(context.explain(f"n{size - 1}"))
        return seconds / size * 1e6

    def _timed(self, flow: Any, size: int) -> tuple[float, Any]:
        answers: list[Any] = []
        return stopwatch(lambda: answers.append(self.execute(flow, size)[1])), answers[0]


class Joblib:
    """`joblib.Memory`: µs a hit."""

    def __init__(self) -> None:
        from joblib import Memory

        self._call = Memory("joblib", verbose=0).cache(work)
        self._sum = Memory("joblib", verbose=0).cache(total)

    def run(self, size: int) -> float:
        for number in range(size):
            self._call(number)
        return stopwatch(lambda: [self._call(number) for number in range(size)]) / size * 1e6

    def close(self) -> None:
        """The directory goes with the process."""


class Diskcache:
    """`diskcache.Cache`: µs a bare get, without any key of code or arguments."""

    def __init__(self) -> None:
        from diskcache import Cache

        self._cache = Cache("diskcache")

    def run(self, size: int) -> float:
        for number in range(size):
            self._cache[number] = work(number)
        return stopwatch(lambda: [self._cache[number] for number in range(size)]) / size * 1e6

    def close(self) -> None:
        self._cache.close()


class LargeArgument(Engine):
    """A hit of a task with an array of `size` MB as its argument: ms; the same by `joblib.Memory`."""

    def __init__(self, peer: bool = False, from_task: bool = False) -> None:
        import numpy

        super().__init__(executor="inline")
        os.environ["GRAFLOW_FAST_STORE"] = str(Path("kept/runs.db").absolute())
        self._numpy, self._from_task = numpy, from_task
        self._peer = Joblib() if peer else None

    def run(self, size: int) -> float:
        array = self._numpy.random.default_rng(0).random(size * 125_000)
        if self._peer is not None:
            self._peer._sum(array)
            return stopwatch(lambda: self._peer._sum(array)) * 1000  # type: ignore[union-attr]
        for _ in range(2):
            seconds = self._once(array)
        return seconds * 1000

    def _once(self, array: Any) -> float:
        cached, plain = self.library.task(cache=True), self.library.task
        begun: list[float] = []
        if not self._from_task:
            adding = cached(total)
            with self.library.workflow("large") as flow:
                adding(task_id="sum", array=array)
            return stopwatch(lambda: self.execute(flow, 1))
        with self.library.workflow("large") as flow:

            @cached
            def made(seed: int = size_of(array)) -> Any:
                return array_of(seed)

            @plain
            def between() -> None:
                begun.append(time.perf_counter())

            @cached
            def taken(made: Any) -> float:
                return float(made[0])

            @plain
            def behind() -> None:
                begun.append(time.perf_counter())

            made >> between >> taken >> behind
        self.execute(flow, 4)
        return begun[1] - begun[0]


def size_of(array: Any) -> int:
    """How many numbers an array has."""
    return len(array)


def array_of(size: int) -> Any:
    """An array of so many numbers."""
    import numpy

    return numpy.random.default_rng(0).random(size)


class Collected:
    """A store of `size` MB, 90 % of which goes while a run writes: how much smaller its file is, in per cent."""

    def run(self, size: int) -> Mapping[str, float]:
        from graflow_fast._store import open_store

        folder = Path("collected").absolute()
        store = open_store(folder / "runs.db")
        for number in range(size):
            writer = store.begin(f"run{number}")
            for _ in range(2):
                writer.append(0, random.randbytes(500_000))
            writer.finish("finished")
        writer, over = store.begin("under way"), threading.Event()
        longest, written = 0.0, 0

        def write() -> None:
            nonlocal longest, written
            while not over.wait(0.001):
                before = time.perf_counter()
                writer.append(0, b"x" * 1000)
                longest, written = max(longest, time.perf_counter() - before), written + 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            done: dict[str, Any] = {}
            seconds = stopwatch(lambda: done.update(store.gc(keep=max(1, size // 10), dry=False)))
        finally:
            over.set()
            thread.join()
        writer.finish("finished")
        shutil.rmtree(folder)
        return {
            "value": 100 * (1 - done["after"] / done["before"]),
            "ms that a writer waited at most": longest * 1000,
            "records that it wrote meanwhile": written,
            "seconds of the cleaning": seconds,
        }

    def close(self) -> None:
        """The directory goes with the process."""
