"""Owns rows S8 and N11: numpy arrays of 100 MB as argument, as result, and shared; many results of 300 kB."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from bodies import large
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


class Results(Engine):
    """A group whose members return 300 kB of bytes each, all of which are kept and looked at: µs a member."""

    def __init__(self) -> None:
        super().__init__(executor="process")

    def run(self, size: int) -> float:
        member = self.library.task(large)
        with self.workflow() as flow:
            self.library.parallel(*[member(task_id=f"n{i}") for i in range(size)])
        lengths: set[int] = set()

        def work() -> None:
            _, context = self.execute(flow, size)
            lengths.update(len(context.get_result(f"n{i}")) for i in range(size))

        seconds = stopwatch(work)
        if lengths != {len(large())}:
            raise RuntimeError(f"results of {lengths} bytes")
        return seconds / size * 1e6


class Copies:
    """Copy as many blocks of 300 kB, one after the other, each into memory of its own, touched before: µs a block."""

    def run(self, size: int) -> float:
        source = large()
        targets = [bytearray(b"\1" * len(source)) for _ in range(size)]

        def work() -> None:
            for target in targets:
                memoryview(target)[:] = source

        return stopwatch(work) / size * 1e6

    def close(self) -> None:
        """Nothing to close."""


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


def n11(quick: bool) -> Row:
    """Many results of a middling size."""
    size, ours, memcpy = (50 if quick else 500), "graflow_fast", "memcpy into touched memory"
    peer = "peers:PeerTasks"
    return Row(
        key="N11",
        work=f"group of {size} members that return 300 kB of bytes, all of them kept",
        unit="µs a member",
        entries=[
            Entry(ours, "big_data:Results", size),
            Entry(memcpy, "big_data:Copies", size),
            Entry("ProcessPoolExecutor loop", peer, size, {"peer": "executor", "verb": "each", "body": "large"}),
            Entry("Pool.imap_unordered", peer, size, {"peer": "pool", "verb": "each", "body": "large"}),
        ],
        beside="ProcessPoolExecutor loop",
        goals=[Goal("≤ 3 × memcpy of it", ours, 3, against=memcpy)],
    )


ROWS = {"S8a": s8a, "S8b": s8b, "S8c": s8c, "N11": n11}
