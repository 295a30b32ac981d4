"""Owns rows S6 and S7: bodies that compute. How much of two cores is used, and whether short tasks wait for a long one.

A body spins until its thread has used so much CPU time, so the useful CPU time is known exactly, and time that the
machine takes away counts as a loss for everybody alike (the bare loops show how much that is).
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from typing import Any

from bodies import BODIES, spin
from contest import WORKERS, Entry, Goal, Row
from engines import Engine
from limits import in_forks, spin_many
from peers import PEERS

LONG, SHORT, LONG_AT = 1.0, 0.0001, 1000


class OursBusy(Engine):
    """A group of spinning members: useful CPU time over cores × wall, in percent."""

    def __init__(self, seconds: float, body: str) -> None:
        super().__init__()
        self._seconds, self._body = seconds, BODIES[body]

    def run(self, size: int) -> float:
        member = self.library.task(self._body)
        with self.workflow() as flow:
            self.library.parallel(*[member(task_id=f"n{i}") for i in range(size)])
        return 100 * size * self._seconds / (WORKERS * self.timed_group(flow, size))


class PeerBusy:
    """The same on a peer."""

    def __init__(self, peer: str, verb: str, seconds: float, body: str) -> None:
        self._peer, self._seconds, self._body = PEERS[peer](), seconds, BODIES[body]
        self._call: Callable[[Any, Sequence[Any]], None] = getattr(self._peer, verb)
        self._call(self._body, range(4))

    def run(self, size: int) -> float:
        started = time.perf_counter()
        self._call(self._body, range(size))
        return 100 * size * self._seconds / (WORKERS * (time.perf_counter() - started))

    def close(self) -> None:
        self._peer.close()


class BareBusy:
    """Two forked loops that spin, with nobody to talk to: what the machine itself gives."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def run(self, size: int) -> float:
        share = size // WORKERS
        wall = in_forks([lambda: spin_many(share, self._seconds)] * WORKERS)
        return 100 * share * self._seconds / wall

    def close(self) -> None:
        """Nothing to close."""


def durations(size: int) -> list[float]:
    """One long task after the first thousand short ones (or the first tenth of a smaller run)."""
    tasks = [SHORT] * size
    tasks[min(LONG_AT, size // 10)] = LONG
    return tasks


def ideal(tasks: Sequence[float]) -> float:
    """The makespan when each task starts, in order, as soon as a worker is free, and nothing else costs anything."""
    free_at = [0.0] * WORKERS
    for seconds in tasks:
        heapq.heappush(free_at, heapq.heappop(free_at) + seconds)
    return max(free_at)


class OursSkewed(Engine):
    """The skewed group: makespan over the ideal one."""

    def run(self, size: int) -> float:
        tasks = durations(size)
        member = self.library.task(spin)
        with self.workflow() as flow:
            self.library.parallel(*[member(task_id=f"n{i}", seconds=seconds) for i, seconds in enumerate(tasks)])
        return self.timed_group(flow, size) / ideal(tasks)


class PeerSkewed:
    """The same on a peer."""

    def __init__(self, peer: str, verb: str) -> None:
        self._peer = PEERS[peer]()
        self._call: Callable[[Any, Sequence[Any]], None] = getattr(self._peer, verb)
        self._call(spin, [SHORT] * 4)

    def run(self, size: int) -> float:
        tasks = durations(size)
        started = time.perf_counter()
        self._call(spin, tasks)
        return (time.perf_counter() - started) / ideal(tasks)

    def close(self) -> None:
        self._peer.close()


class BareSkewed:
    """Two forked loops, one with the long task, the other with all short ones that fit beside it."""

    def run(self, size: int) -> float:
        tasks = durations(size)
        before, shorts = tasks.index(LONG) // 2, size - 1

        def first() -> None:
            spin_many(before, SHORT)
            spin(LONG)

        return in_forks([first, lambda: spin_many(shorts - before, SHORT)]) / ideal(tasks)

    def close(self) -> None:
        """Nothing to close."""


def _s6(key: str, seconds: float, body: str, name: str, bound: float, size: int, runs: int) -> Row:
    peers = [
        ("Pool.map, automatic chunks", "pool", "bulk"),
        ("Pool.imap_unordered", "pool", "each"),
        ("ProcessPoolExecutor.submit", "executor", "each"),
        ("joblib, automatic batches", "joblib", "bulk"),
        ("pebble schedule", "pebble", "each"),
        ("mpire map, automatic chunks", "mpire", "bulk"),
    ]
    busy = {"seconds": seconds, "body": body}
    return Row(
        key=key,
        work=f"CPU-bound tasks of {name}: useful CPU time over cores × wall",
        unit="%, more is better",
        entries=[
            Entry("graflow_fast", "cpu:OursBusy", size, busy),
            Entry("two bare loops", "cpu:BareBusy", size, {"seconds": seconds}),
            *[
                Entry(label, "cpu:PeerBusy", size, {"peer": peer, "verb": verb, **busy}, runs=3)
                for label, peer, verb in peers
            ],
        ],
        goals=[Goal(f"≥ {bound:.0f} %", "graflow_fast", bound, at_least=True)],
        runs=runs,
        note="What the bare loops miss is the machine's and the clock's: ours ÷ theirs is what running tasks costs.",
    )


def s6a(quick: bool) -> Row:
    """Tasks of a millisecond."""
    return _s6("S6a", 0.001, "spin_1ms", "1 ms", 98, 200 if quick else 2_000, 5)


def s6b(quick: bool) -> Row:
    """Tasks of 100 µs."""
    return _s6("S6b", 0.0001, "spin_100us", "100 µs", 95, 1_000 if quick else 10_000, 5)


def s7(quick: bool) -> Row:
    """A long task among many short ones."""
    size = 10_000
    return Row(
        key="S7",
        work=f"one task of 1 s among {size} of 100 µs: makespan over the ideal",
        unit="× the ideal",
        entries=[
            Entry("graflow_fast", "cpu:OursSkewed", size, warm=100),
            Entry("two bare loops", "cpu:BareSkewed", size, warm=0),
            *[
                Entry(label, "cpu:PeerSkewed", size, {"peer": peer, "verb": verb}, warm=0, runs=2)
                for label, peer, verb in [
                    ("Pool.imap_unordered", "pool", "each"),
                    ("Pool.map, automatic chunks", "pool", "bulk"),
                    ("ProcessPoolExecutor.submit", "executor", "each"),
                ][: 1 if quick else 3]
            ],
        ],
        goals=[Goal("≤ 1.03 × the ideal", "graflow_fast", 1.03)],
        runs=1 if quick else 3,
    )


ROWS = {"S6a": s6a, "S6b": s6b, "S7": s7}
