"""Counts and sums of a run, by outcome, function and worker. Owns what is counted as what; knows no words."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from itertools import compress
from operator import ge, sub
from typing import NamedTuple

from graflow_fast._record.columns import (
    ABANDONED,
    CALLER,
    COMPLETED,
    FAILED,
    GROUP,
    NOBODY,
    RETRIED,
    SKIPPED,
    Columns,
    known_end,
)

#: Upper ends of the classes of a histogram of times, in seconds, three to a power of ten; a last class has the rest.
HISTOGRAM_EDGES = tuple(step * 10.0**power for power in range(-6, 4) for step in (1, 2, 5))


class FunctionFigures(NamedTuple):
    """What a function's attempts took. Times are seconds in bodies."""

    function: str
    attempts: int
    retries: int
    failures: int
    total: float
    mean: float
    median: float
    percentile_95: float
    longest: float
    longest_row: int
    histogram: list[int]  # by `HISTOGRAM_EDGES`, and one more


class WorkerFigures(NamedTuple):
    """What one worker did, or the calling thread."""

    worker: int
    attempts: int
    busy: float
    first: float  # when its first body started
    last: float  # when its last body ended


class Figures(NamedTuple):
    """Counts and sums of a whole run."""

    wall: float
    workers: int
    counts: list[int]  # attempts that are no group's, by outcome
    known: int  # nodes that are no groups
    not_run: int  # of these, without an attempt that began
    functions: list[FunctionFigures]  # by total time, the greatest first
    by_worker: list[WorkerFigures]

    @property
    def tasks(self) -> int:
        """Tasks that ran to an end, well or not; each round of a loop is one."""
        return self.counts[COMPLETED] + self.counts[FAILED]

    @property
    def retries(self) -> int:
        """Attempts that failed and were tried again."""
        return self.counts[RETRIED]

    @property
    def busy(self) -> float | None:
        """The workers' share of the time in which bodies ran; of the calling thread's in a run without workers."""
        workers = [each.busy for each in self.by_worker if each.worker >= 0]
        caller = [each.busy for each in self.by_worker if each.worker == CALLER]
        time = self.wall * (max(self.workers, len(workers)) if workers else len(caller))
        return min(1.0, sum(workers or caller) / time) if time > 0 else None


def figures_of(columns: Columns) -> Figures:
    """Count and sum up a run, in a few passes over its rows.

    The passes are calls of `map` and the like where they can be: a loop over a million rows takes far longer.
    """
    counts, ran = _counts(columns)
    nodes = len(columns.names) - columns.kinds.count(GROUP) - _loose(columns)
    workers = columns.meta.get("workers") or 0
    by_worker = _by_worker(columns)
    return Figures(known_end(columns), workers, counts, nodes, nodes - ran, _by_function(columns), by_worker)


def _loose(columns: Columns) -> int:
    """Tasks that never came up and that nothing leads to: definitions of which instances run, targets of a jump."""
    if columns.meta.get("schedule") != "sequential":  # else they are where the workflow begins
        return 0
    linked = set(columns.edges).union(columns.node, *columns.members.values())
    return sum(kind != GROUP and node not in linked for node, kind in enumerate(columns.kinds))


def _counts(columns: Columns) -> tuple[list[int], int]:
    """Attempts by outcome, and how many nodes began to run."""
    counts = [columns.outcome.count(outcome) for outcome in range(6)]
    if GROUP in columns.kinds:
        of_groups = bytes(compress(columns.outcome, map(GROUP.__eq__, map(columns.kinds.__getitem__, columns.node))))
        counts = [count - of_groups.count(outcome) for outcome, count in enumerate(counts)]
    began = set(columns.node)
    if counts[ABANDONED] or counts[SKIPPED]:
        rows = zip(columns.node, columns.outcome, columns.start, strict=True)
        began = {node for node, outcome, start in rows if outcome not in (ABANDONED, SKIPPED) or start == start}
    return counts, sum(columns.kinds[node] != GROUP for node in began)


def function_names(columns: Columns) -> list[str]:
    """What the function of each node is called; a task that has none that is known is one of its own."""
    return [function or name for function, name in zip(columns.functions, columns.names, strict=True)]


def _by_function(columns: Columns) -> list[FunctionFigures]:
    numbers: dict[str, int] = {}
    of_node = [
        -1 if kind == GROUP else numbers.setdefault(function, len(numbers))
        for function, kind in zip(function_names(columns), columns.kinds, strict=True)
    ]
    of_row = array("i", map(of_node.__getitem__, columns.node))
    taken = array("d", map(sub, columns.end, columns.start))
    times: list[list[float]] = [[] for _ in range(len(numbers) + 1)]  # the last one is that of groups
    for number, took in zip(of_row, taken, strict=True):
        times[number].append(took)
    failures, retries = (Counter(of_row[row] for row in rows_with(columns, outcome)) for outcome in (FAILED, RETRIED))
    found = []
    for name, number in numbers.items():
        of_function = sorted(took for took in times[number] if took == took)
        if of_function:
            longest = taken.index(of_function[-1])
            while of_row[longest] != number:
                longest = taken.index(of_function[-1], longest + 1)
            found.append(_function(name, of_function, retries[number], failures[number], longest))
    return sorted(found, key=lambda each: -each.total)


def _function(name: str, times: list[float], retries: int, failures: int, longest_row: int) -> FunctionFigures:
    count, total = len(times), sum(times)
    ends = [bisect_left(times, edge) for edge in HISTOGRAM_EDGES]
    histogram = [end - start for start, end in zip([0, *ends], [*ends, count], strict=True)]
    return FunctionFigures(
        function=name,
        attempts=count,
        retries=retries,
        failures=failures,
        total=total,
        mean=total / count,
        median=times[count // 2],
        percentile_95=times[min(count - 1, count * 95 // 100)],
        longest=times[-1],
        longest_row=longest_row,
        histogram=histogram,
    )


def _by_worker(columns: Columns) -> list[WorkerFigures]:
    end_of_run = known_end(columns)
    starts: dict[int, list[float]] = {}
    ends: dict[int, list[float]] = {}
    for worker in set(columns.worker) - {NOBODY}:
        starts[worker], ends[worker] = [], []
    starts[NOBODY], ends[NOBODY] = [], []
    for worker, start, end in zip(columns.worker, columns.start, columns.end, strict=True):
        starts[worker].append(start)
        ends[worker].append(end)
    del starts[NOBODY]
    return [
        WorkerFigures(worker, len(own), _covered(own, till), min(own), max(till))
        for worker in sorted(starts)
        for own, till in [_closed(starts[worker], ends[worker], end_of_run)]
        if own
    ]


def _closed(starts: list[float], ends: list[float], end_of_run: float) -> tuple[list[float], list[float]]:
    """The same without what never started; what has not ended goes on until the end of the run."""
    if sum(ends) == sum(ends) and sum(starts) == sum(starts):
        return starts, ends
    kept = [row for row, start in enumerate(starts) if start == start]
    return [starts[row] for row in kept], [ends[row] if ends[row] == ends[row] else end_of_run for row in kept]


def _covered(starts: list[float], ends: list[float]) -> float:
    """The time that is between at least one start and its end; they come in the order of ends.

    Bodies of one worker may overlap (coroutines); a second in which two ran is one busy second.
    """
    if all(map(ge, starts[1:], ends)):
        return float(sum(map(sub, ends, starts)))
    total, covered_from = 0.0, float("inf")
    for start, end in zip(reversed(starts), reversed(ends), strict=True):
        if start < covered_from:
            total += (end if end < covered_from else covered_from) - start
            covered_from = start
    return total


def slowest_rows(columns: Columns, most: int) -> set[int]:
    """The slowest rows of each function."""
    import heapq  # only for reports that can't have all

    functions = function_names(columns)
    by_function: dict[str, list[tuple[float, int]]] = {}
    for row, (node, start, end) in enumerate(zip(columns.node, columns.start, columns.end, strict=True)):
        took = end - start
        if took == took:
            heap = by_function.setdefault(functions[node], [])
            if len(heap) < most:
                heapq.heappush(heap, (took, row))
            elif took > heap[0][0]:
                heapq.heapreplace(heap, (took, row))
    return {row for heap in by_function.values() for _, row in heap}


def rows_with(columns: Columns, *outcomes: int) -> array[int]:
    """The rows with one of these outcomes that are no group's."""
    found: array[int] = array("I")
    for outcome in outcomes:
        row = columns.outcome.find(outcome)
        while row >= 0:
            if columns.kinds[columns.node[row]] != GROUP:
                found.append(row)
            row = columns.outcome.find(outcome, row + 1)
    return found if len(outcomes) == 1 else array("I", sorted(found))
