"""A program as users write it, whose class stands in its own file: contestants of rows N3 and N16.

Such a class can't be imported by workers that start from a fresh interpreter, so how it crosses is what these rows
measure. This file is the program of its contestants' process (`Entry.program`), so the class's module is `__main__`.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from contest import WORKERS, sit, stopwatch
from engines import Engine
from peers import PEERS
from processor import watched


@dataclass
class Sample:
    """What tasks of this program take and return."""

    name: str
    number: int
    share: float
    tags: list[str]


def sample(number: int) -> Sample:
    return Sample("sample", number, 0.5, ["a", "b"])


def halve(item: Sample) -> Sample:
    """Take one and return one."""
    return Sample(item.name, item.number + 1, item.share / 2, item.tags)


def right(results: list[Any]) -> None:
    """See that every sample came back, changed."""
    if [result.number for result in results] != list(range(1, len(results) + 1)):
        raise RuntimeError("not every sample came back changed")
    if type(results[-1]) is not Sample:
        raise RuntimeError("what came back is of another class")


class Group(Engine):
    """A group of tasks that take a sample and return one: µs a member."""

    def __init__(self) -> None:
        if Sample.__module__ != "__main__":
            raise RuntimeError("this is no class of the program's own file")
        super().__init__(executor="process")

    def run(self, size: int) -> dict[str, float]:
        member = self.library.task(halve)
        with self.workflow() as flow:
            self.library.parallel(*[member(task_id=f"n{i}", item=sample(i)) for i in range(size)])
        answers: list[Any] = []
        seconds, spent = watched(lambda: answers.append(self.execute(flow, size)[1]), size)
        right([answers[0].get_result(f"n{number}") for number in range(size)])
        return {"value": seconds / size * 1e6, **spent}


class Map(Engine):
    """`task.map` over samples: µs an item."""

    def __init__(self) -> None:
        super().__init__(executor="process")

    def run(self, size: int) -> float:
        items = [sample(number) for number in range(size)]
        with self.workflow() as flow:
            self.library.task(halve).map(items)
        answers: list[list[Any]] = []
        seconds = stopwatch(lambda: answers.append(self.execute(flow, size)[0]))
        right(answers[0])
        return seconds / size * 1e6


class Loop:
    """The same by hand, with forked workers, which know this program's classes: µs a task.

    `way` is "submit" (`ProcessPoolExecutor`, each a task) or "map" (`Pool.map`, automatic chunks).
    """

    def __init__(self, way: str) -> None:
        self._pool: Any
        if way == "submit":
            self._pool, self._call = ProcessPoolExecutor(WORKERS), self._submit
        else:
            self._pool = multiprocessing.get_context("fork").Pool(WORKERS)
            self._call = self._map

    def _submit(self, items: list[Sample]) -> list[Sample]:
        return [future.result() for future in [self._pool.submit(halve, item) for item in items]]

    def _map(self, items: list[Sample]) -> list[Sample]:
        return list(self._pool.map(halve, items))

    def run(self, size: int) -> float:
        items = [sample(number) for number in range(size)]
        answers: list[list[Any]] = []
        seconds = stopwatch(lambda: answers.append(self._call(items)))
        right(answers[0])
        return seconds / size * 1e6

    def close(self) -> None:
        if isinstance(self._pool, ProcessPoolExecutor):
            self._pool.shutdown()
        else:
            self._pool.terminate()


class Heavy:
    """The same on Dask or Ray: µs a task."""

    def __init__(self, peer: str) -> None:
        self._peer = PEERS[peer]()

    def run(self, size: int) -> float:
        items = [sample(number) for number in range(size)]
        return stopwatch(lambda: self._peer.each(halve, items)) / size * 1e6

    def close(self) -> None:
        self._peer.close()


if __name__ == "__main__":
    sit()
