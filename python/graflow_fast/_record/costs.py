"""What lay between the bodies of a recorded run: waiting for workers that start, handing over, reporting, joining.

Owns which row is an attempt and which is a chunk of a map, and how a row's time is split: before its body, in it, and
until the scheduler heard of it. Knows neither the scheduler nor what a simulation does with it.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Sequence

from graflow_fast._record.columns import CALLER, FAILED, GROUP, MAP, NOBODY, RETRIED, Columns, known_end
from graflow_fast._record.simulation import Attempt

#: A worker's first body that waited for longer than this many seconds waited for the worker.
_STARTING = 0.005
#: Clocks of two processes agree to this, in seconds.
_SAME_TIME = 1e-6


def own_rows(columns: Columns) -> tuple[list[int], dict[int, list[int]]]:
    """The rows of attempts in the order of their start, and the rows of chunks by the row of their map's attempt.

    A map's attempt ends after its chunks, which nobody has released.
    """
    own: list[int] = []
    chunks: dict[int, list[int]] = {}
    waiting: dict[int, list[int]] = {}
    for row, node in enumerate(columns.node):
        if columns.kinds[node] != MAP:
            own.append(row)
        elif columns.released_by[row] >= 0:
            own.append(row)
            chunks[row] = waiting.pop(node, [])
        else:
            waiting.setdefault(node, []).append(row)
    for some in waiting.values():  # a map that the workflow starts with; its own row is the last one
        own.append(some[-1])
        chunks[some[-1]] = some[:-1]
    own.sort(key=lambda row: (_or(columns.start[row], 0.0), _or(columns.end[row], 0.0)))
    return own, {row: some for row, some in chunks.items() if some}


class Costs:
    """How the time of each row is split.

    Attributes:
        on_worker: The rows whose bodies ran on a worker, or in a thread beside others.
        available: When each worker was there, in seconds since the start of the run.
        joins: What the join of each group took, by row.
        last_heard: When the scheduler heard of something for the last time.
    """

    def __init__(self, columns: Columns, own: list[int], chunks: dict[int, list[int]]) -> None:
        self._columns = columns
        self._end_of_run = known_end(columns)
        self._chunks = chunks
        self._map_of = {chunk: row for row, some in chunks.items() for chunk in some}
        #: The rows of attempts that were not the first one, by node, branch and number.
        self._again: dict[tuple[int, int, int], list[int]] = {}
        for row, number in enumerate(columns.attempt):
            if number > 1:
                self._again.setdefault((columns.node[row], columns.branch[row], number), []).append(row)
        starts, workers = columns.start, columns.worker
        bodies = [row for row in own if workers[row] != NOBODY and row not in chunks] + list(self._map_of)
        bodies = sorted((row for row in bodies if starts[row] == starts[row]), key=self._by_start)
        #: When the bodies began of rows that say when they were handed over.
        self._begun: dict[int, float] = {}
        self.on_worker = {row for row in bodies if workers[row] >= 0} | self._in_threads(bodies)
        self._after = self._heard_of()
        self.available: list[float] = []
        self._before = self._waits(bodies)
        heard = sorted(self._ended(row) + self._after.get(row, 0.0) for row in bodies)
        groups = [row for row in own if columns.kinds[columns.node[row]] == GROUP]
        ends = {row: _or(columns.end[row], self._end_of_run) for row in groups}
        self.joins = {row: min(end, max(0.0, end - _latest(heard, end))) for row, end in ends.items()}
        maps = [self._ended(row) for row in chunks]
        self.last_heard = max([*heard[-1:], *ends.values(), *maps], default=0.0)

    def attempt(self, row: int, directives: tuple[tuple[int, int, int], ...]) -> Attempt:
        """Return what an attempt took, with what it asked for."""
        outcome, end = self._columns.outcome[row], self._ended(row)
        chunks = sorted(self._chunks.get(row, ()), key=self._by_start)
        after = self._after.get(row, 0.0)
        if chunks:
            after = max(0.0, end - max(map(self._ended, chunks)))
        return Attempt(
            ran=end - self._began(row),
            before=self._before.get(row, 0.0),
            after=after,
            on_worker=(chunks[0] if chunks else row) in self.on_worker,
            fails=outcome in (FAILED, RETRIED) and not directives,
            retry_delay=self._retry_delay(row, end + after) if outcome == RETRIED else None,
            directives=directives,
            chunks=tuple((self._before[chunk], self._ended(chunk) - self._began(chunk)) for chunk in chunks),
        )

    def _by_start(self, row: int) -> tuple[float, float]:
        return self._columns.start[row], self._ended(row)

    def _began(self, row: int) -> float:
        return self._begun.get(row, self._columns.start[row])

    def _ended(self, row: int) -> float:
        return _or(self._columns.end[row], self._end_of_run)

    def _in_threads(self, bodies: list[int]) -> set[int]:
        """The rows of the calling process that overlap: they ran in threads.

        Such a row begins when it is handed to the threads, so its body began, at the earliest, when one was free.
        """
        columns = self._columns
        here = [row for row in bodies if columns.worker[row] == CALLER]
        given = columns.meta.get("executor") == "thread"
        found = {row for row in here if given and (columns.branch[row] or row in self._map_of)}
        latest = -1
        for row in here:
            if latest >= 0 and columns.start[row] < self._ended(latest) - _SAME_TIME:
                found |= {row, latest}
            if latest < 0 or self._ended(row) > self._ended(latest):
                latest = row
        for chunks in self._chunks.values():  # if two of them overlap, all were in threads
            if not found.isdisjoint(chunks):
                found.update(chunks)
        threads = [0.0] * self._most_threads()
        for row in sorted(found, key=self._by_start):
            end = self._ended(row)
            self._begun[row] = min(max(columns.start[row], heapq.heappop(threads)), end)
            heapq.heappush(threads, end)
        return found

    def _most_threads(self) -> int:
        return max(1, self._columns.meta.get("workers") or 1)

    def _heard_of(self) -> dict[int, float]:
        """How long after a body's end the scheduler heard of it, by what it released: that was ready then.

        Of a row that released nothing nobody knows, and it counts with what came next: the join, or the next body.
        """
        columns = self._columns
        last: dict[int, int] = {}
        heard: dict[int, float] = {}
        for row, node in enumerate(columns.node):
            by = columns.released_by[row]
            found = last.get(by, -1)
            if found >= 0 and columns.attempt[row] == 1 and columns.kinds[by] != GROUP:
                delay = columns.ready[row] - self._ended(found)
                if delay >= 0.0:
                    heard[found] = min(delay, heard.get(found, delay))
            if row not in self._map_of:
                last[node] = row
        return heard

    def _retry_delay(self, row: int, heard: float) -> float:
        """How long it was from the moment that the scheduler heard of a failed attempt until it could begin again."""
        columns = self._columns
        again = self._again.get((columns.node[row], columns.branch[row], columns.attempt[row] + 1), ())
        following = next((other for other in again if other > row), row)
        return max(0.0, _or(columns.ready[following] - heard, 0.0))

    def _waits(self, bodies: list[int]) -> dict[int, float]:
        """What lay between the moment that each body could have begun and its beginning; notes when workers came.

        A body can begin when it is ready and its worker is free; in the workflow's own branch, one after the other,
        also when the one before has ended, and where something is limited, when somebody has left it.
        """
        columns, options = self._columns, self._columns.options
        in_order = columns.meta.get("schedule") != "parallel"
        heard = {row: self._ended(row) + self._after.get(row, 0.0) for row in bodies}
        ended_in_order = sorted(heard[row] for row in bodies if not columns.branch[row])
        ended_limited = sorted(heard[row] for row in bodies if options.get(columns.node[row], (0, 0))[1])
        ended_here = sorted(heard[row] for row in bodies if row not in self.on_worker)
        waits: dict[int, float] = {}
        free: dict[int, float] = {}
        came: dict[int, float] = {}
        threads = [0.0] * self._most_threads()
        for row in bodies:
            start, worker, of_map = self._began(row), columns.worker[row], self._map_of.get(row)
            since = columns.ready[row] if of_map is None else columns.start[of_map]
            if in_order and not columns.branch[row] and of_map is None:
                since = max(since, _latest(ended_in_order, start))
            if options.get(columns.node[row], (0, 0))[1]:
                since = max(since, _latest(ended_limited, start))
            if row not in self.on_worker:
                since = max(since, _latest(ended_here, start))
            elif worker >= 0:
                if worker not in free and start - since > _STARTING:
                    came[worker] = since = start
                since = max(since, free.get(worker, 0.0))
                free[worker] = self._ended(row)
            else:
                since = max(since, heapq.heappop(threads))
                heapq.heappush(threads, self._ended(row))
            waits[row] = max(0.0, start - since)
        self.available = [came.get(worker, 0.0) for worker in free]
        return waits


def _latest(times: Sequence[float], until: float) -> float:
    """The latest of some sorted times that is not later than ``until``; 0 if there is none."""
    place = bisect_right(times, until + _SAME_TIME)
    return times[place - 1] if place else 0.0


def _or(time: float, otherwise: float) -> float:
    """A time, or another one where it is not a number."""
    return time if time == time else otherwise
