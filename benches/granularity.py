"""Owns rows METG: the smallest body at which half of the cores' time is useful (Task Bench, SC20).

A body spins for a given CPU time, so the useful time of a run is known exactly: tasks × body over cores × wall. The
smallest body at which that is a half is found by bisection. Time that the machine takes away counts against everybody.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from contest import WORKERS, Entry, Goal, Row
from graphs import Graph, peer_seconds
from peers import PEERS
from shapes import METG_PATTERNS, METG_WIDTH, Shape, pattern

HALF = 0.5
PRECISION = 1.1  # the bisection ends when what is too small and what is enough are this close
USEFUL = 0.1  # seconds of body that a run should have, so that its start and its end don't count
FEWEST = 16 * METG_WIDTH  # tasks of a run, however long their bodies are
LONGEST = 1.0  # seconds: a body as long as this and still less than half is useful: no answer
TRIES = 2  # runs for each body, of which the better counts
WAITING = 200.0  # seconds for one figure: some ten runs, each of a graph that has to be built first
PATIENCE = 40.0  # seconds that a run of a million tasks without bodies may take to be measured at all

Share = Callable[[float], float]
Wall = Callable[[Shape, float], float]


def smallest(share: Share, guess: float) -> float:
    """The smallest body, in seconds, at which `share(body)`, which grows with the body, is at least a half."""
    high = guess
    while share(high) < HALF:
        high *= 2
        if high > LONGEST:
            raise RuntimeError(f"even with bodies of {LONGEST:.0f} s less than half of the cores' time is useful")
    low = high / 2
    while share(low) >= HALF:
        high, low = low, low / 2
    while high / low > PRECISION:
        middle = math.sqrt(low * high)
        if share(middle) >= HALF:
            high = middle
        else:
            low = middle
    return high


def useful(tasks: int, body: float, wall: float) -> float:
    """Useful CPU time over cores × wall."""
    return tasks * body / (WORKERS * wall)


def metg(wall: Wall, name: str, most: int) -> float:
    """The METG of a pattern in seconds, with at most so many tasks in a run."""
    shape = pattern(name, METG_WIDTH, FEWEST)
    wall(shape, 0)  # the pool starts, the code crosses
    guess = wall(shape, 0) / len(shape)

    def share(body: float) -> float:
        tasks = min(most, max(FEWEST, int(USEFUL / body)))
        shape = pattern(name, METG_WIDTH, tasks)
        return max(useful(len(shape), body, wall(shape, body)) for _ in range(TRIES))

    return smallest(share, guess)


class Ours(Graph):
    """µs of the smallest body, on graflow_fast."""

    def __init__(self, pattern: str, passing: str) -> None:
        super().__init__(passing=passing)
        self._pattern = pattern

    def run(self, size: int) -> float:
        return metg(lambda shape, body: self.seconds(shape, body)[0], self._pattern, size) * 1e6


class Theirs:
    """µs of the smallest body, on a peer."""

    def __init__(self, peer: str, pattern: str, passing: bool = True) -> None:
        self._peer, self._pattern, self._passing = PEERS[peer](), pattern, passing

    def run(self, size: int) -> float:
        def wall(shape: Shape, body: float) -> float:
            return peer_seconds(self._peer, shape, body, self._passing)

        return metg(wall, self._pattern, size) * 1e6

    def close(self) -> None:
        self._peer.close()


class Many(Graph):
    """µs of the smallest body in a very large graph.

    There is no time for a bisection. What a task costs beside its body is taken from one run with the body that a
    small graph needs, and again from one with the body that follows from it.
    """

    def __init__(self, pattern: str, passing: str) -> None:
        super().__init__(passing=passing)
        self._pattern = pattern

    def run(self, size: int) -> float:
        small = pattern(self._pattern, METG_WIDTH, min(5_000, size))
        each = min(self.seconds(small)[0] for _ in range(3)) / len(small)
        if each * size > PATIENCE:
            raise RuntimeError(
                f"not tried: at {each * 1e6:.0f} µs a task, as in a small graph, it takes {each * size:.0f} s"
            )
        shape, body = pattern(self._pattern, METG_WIDTH, size), each
        for _ in range(2):
            beside = self.seconds(shape, body)[0] / len(shape) - body / WORKERS
            body = beside * WORKERS  # then the bodies, shared by the workers, take as long as all else
        return body * 1e6


def _entry(label: str, target: str, most: int, heavy: bool = False, runs: int | None = None, **given: Any) -> Entry:
    return Entry(label, f"granularity:{target}", most, given, heavy, warm=0, runs=runs, patience=WAITING)


def _row(name: str, quick: bool) -> Row:
    most, bound = (1_000 if quick else 5_000), 25 if name == "all_to_all" else 12
    ours, loop = "graflow_fast, values passed", "ProcessPoolExecutor loop, values passed"
    entries = [
        _entry(ours, "Ours", most, pattern=name, passing="context"),
        _entry("graflow_fast, edges only", "Ours", most, pattern=name, passing="nothing"),
        _entry(loop, "Theirs", 1_000, runs=2, pattern=name, peer="executor"),
        _entry(
            "ProcessPoolExecutor loop, edges only",
            "Theirs",
            1_000,
            runs=2,
            pattern=name,
            peer="executor",
            passing=False,
        ),
    ]
    if name == "stencil_1d" and not quick:
        for label, peer in (("Dask distributed, values passed", "dask"), ("Ray, values passed", "ray")):
            entries.append(_entry(label, "Theirs", 320, heavy=True, runs=1, pattern=name, peer=peer))
    return Row(
        key=f"METG-{name}",
        work=f"the smallest body at which half of {WORKERS} cores is useful: {name}, {METG_WIDTH} wide",
        unit="µs of body",
        entries=entries,
        beside=loop,
        goals=[Goal(f"≤ {bound} µs", ours, bound)],
        runs=3,
    )


def million(quick: bool) -> Row:
    """The same of a large graph, with values passed."""
    size = 20_000 if quick else 1_000_000
    small, large = "graflow_fast, 5000 tasks", f"graflow_fast, {size} tasks"
    return Row(
        key="METG-large",
        work=f"the same at {size} tasks: stencil_1d, {METG_WIDTH} wide, values passed",
        unit="µs of body",
        entries=[
            _entry(small, "Many", 5_000, pattern="stencil_1d", passing="context"),
            _entry(large, "Many", size, pattern="stencil_1d", passing="context"),
        ],
        goals=[Goal("≤ 12 µs", large, 12), Goal("the same at both (≤ 1.1 ×)", large, 1.1, against=small)],
        runs=1,
    )


def _maker(name: str) -> Callable[[bool], Row]:
    return lambda quick: _row(name, quick)


ROWS = {f"METG-{name}": _maker(name) for name in METG_PATTERNS} | {"METG-large": million}
