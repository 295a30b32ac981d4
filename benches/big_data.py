"""Owns row S8: numpy arrays of 100 MB as argument, as result, and shared by many tasks."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from contest import WORKERS, Entry, Goal, Row, stopwatch
from engines import Engine
from peers import PEERS

SHARERS = 100


def touch(array: Any) -> int:
    """Read one byte of each page: the argument has arrived when all of it can be read."""
    return int(array[::4096].sum(dtype="u8"))


def make(megabytes: int) -> Any:
    """Return an array of the worker's; it travels back as the result. Made once: making it is not what is measured."""
    return _ones(megabytes)


@functools.cache
def _ones(megabytes: int) -> Any:
    import numpy

    return numpy.ones(megabytes * 1_000_000, dtype="u1")


def peek(array: Any) -> int:
    """Read one element and say how much memory of its own this worker has, in bytes."""
    assert array[len(array) // 2] == 1
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


class Ours(Engine):
    """One `execute` that moves the array(s): GB/s for argument and result, milliseconds for sharing."""

    def __init__(self, kind: str) -> None:
        super().__init__(executor="process")
        self._kind = kind

    def run(self, size: int) -> Any:
        array = make(size)
        with self.workflow() as flow:
            if self._kind == "argument":
                self.library.task(touch)(task_id="only", array=array)
            elif self._kind == "result":
                self.library.task(make)(task_id="only", megabytes=size)
            else:
                count = SHARERS if self._kind == "shared" else 2
                member = self.library.task(peek)
                self.library.parallel(*[member(task_id=f"n{i}", array=array) for i in range(count)])
        answers: list[Any] = []

        def work() -> None:
            result, context = self.execute(flow, SHARERS)
            if self._kind == "result":
                result = touch(result)  # a result that is mapped but unreadable hasn't arrived
            answers.append((result, context))

        seconds = stopwatch(work)
        result, context = answers[0]
        if self._kind in ("argument", "result"):
            if result != -(-size * 1_000_000 // 4096):
                raise RuntimeError(f"the array arrived as {result}")
            return size / 1000 / seconds
        private = max(int(context.get_result(f"n{i}")) for i in range(SHARERS if self._kind == "shared" else 2))
        return {"value": seconds * 1000, "most private memory of a worker, MB": private / 1e6}


class PeerData:
    """The same on a peer, which has no way to share but sending the array each time."""

    def __init__(self, peer: str, kind: str) -> None:
        self._peer, self._kind = PEERS[peer](), kind
        self._peer.lone(touch, make(1))

    def run(self, size: int) -> float:
        if self._kind == "result":
            return size / 1000 / stopwatch(lambda: touch(self._peer.lone(make, size)))
        array = make(size)
        if self._kind == "argument":
            return size / 1000 / stopwatch(lambda: self._peer.lone(touch, array))
        return stopwatch(lambda: self._peer.each(peek, [array] * SHARERS)) * 1000

    def close(self) -> None:
        self._peer.close()


PEER_LABELS = {"pool": "multiprocessing.Pool", "executor": "ProcessPoolExecutor", "loky": "loky"}


def _moved(key: str, kind: str, size: int) -> Row:
    return Row(
        key=key,
        work=f"numpy array of {size} MB as {kind}",
        unit="GB/s, more is better",
        entries=[
            Entry("graflow_fast", "big_data:Ours", size, {"kind": kind}),
            Entry("memcpy into touched memory", "limits:Memcpy", size, {"fresh": False}),
            Entry("memcpy into fresh memory", "limits:Memcpy", size, {"fresh": True}),
            *[
                Entry(label, "big_data:PeerData", size, {"peer": peer, "kind": kind})
                for peer, label in PEER_LABELS.items()
            ],
        ],
        goals=[
            Goal(
                "≥ ½ of memcpy (touched memory)",
                "graflow_fast",
                0.5,
                against="memcpy into touched memory",
                at_least=True,
            )
        ],
        note="Every contestant reads a byte of each page before the clock stops.",
    )


def s8a(quick: bool) -> Row:
    """As argument."""
    return _moved("S8a", "argument", 20 if quick else 100)


def s8b(quick: bool) -> Row:
    """As result."""
    return _moved("S8b", "result", 20 if quick else 100)


def s8c(quick: bool) -> Row:
    """Shared by many tasks: it should cost about what a group of two costs."""
    size = 10 if quick else 100
    peer_size = size // 10
    ours, two = f"graflow_fast, {SHARERS} tasks", "graflow_fast, two tasks"
    return Row(
        key="S8c",
        work=f"one numpy array of {size} MB shared by {SHARERS} tasks on {WORKERS} workers",
        unit="ms",
        totals=True,
        entries=[
            Entry(ours, "big_data:Ours", size, {"kind": "shared"}),
            Entry(two, "big_data:Ours", size, {"kind": "pair"}),
            Entry(
                f"multiprocessing.Pool, only {peer_size} MB",
                "big_data:PeerData",
                peer_size,
                {"peer": "pool", "kind": "shared"},
                warm=1,
                runs=1,
            ),
        ],
        goals=[Goal("crosses once: ≤ 2 × two tasks with it", ours, 2, against=two)],
        runs=3,
        note="Read in place: the note on private memory stays far below the array's size.",
    )


ROWS = {"S8a": s8a, "S8b": s8b, "S8c": s8c}
