"""The critical path: the chain of tasks, each released by the one before, that takes longest.

With any number of workers the run could not have been shorter than it, but for what joins waited for and did not wait
for last. Owns how rows are linked to the row that released them; knows nothing of words or drawings.
"""

from __future__ import annotations

from array import array
from operator import sub
from typing import NamedTuple

from graflow_fast._record.columns import GROUP, Columns

#: Clocks of two processes agree to this, in seconds.
_SAME_TIME = 1e-6


class Step(NamedTuple):
    """One attempt on the critical path."""

    row: int
    waited: float  # since the end of the step before; of the first, since it was ready
    ran: float


class Path(NamedTuple):
    """The critical path, and how long it takes without waiting for workers: bodies, and pauses before retries."""

    steps: list[Step]
    length: float


def critical_path(columns: Columns) -> Path:
    """The longest chain of a run, in one pass over its rows."""
    links = _Links(columns)
    links.follow()
    if not links.length:
        return Path([], 0.0)
    last = max(range(len(links.length)), key=links.length.__getitem__)
    rows = links.chain(last)
    return Path(_steps(columns, rows), links.length[last])


def _steps(columns: Columns, rows: list[int]) -> list[Step]:
    steps = []
    before = None
    for row in rows:
        start, end = columns.start[row], columns.end[row]
        since = columns.ready[row] if before is None else columns.end[before]
        waited = start - since
        steps.append(Step(row, max(0.0, waited) if waited == waited else 0.0, max(0.0, end - start)))
        before = row
    return steps


class _Links:
    """Which row released each row, and how long the longest chain is that ends with it.

    A group ends after its members, but they start with it. So what its members do is counted from the group's start
    on, and added to the chain that leads to the group when its own row comes.
    """

    def __init__(self, columns: Columns) -> None:
        count = len(columns.node)
        self._columns = columns
        self.length = [0.0] * count
        self._before = array("i", [-1]) * count
        self._last = [-1] * len(columns.names)  # the latest row of each node so far
        self._earlier: dict[int, int] = {}  # of a node that ran several times: the row before
        self._group_of = [-1] * len(columns.names)
        for group, members in columns.members.items():
            for member in members:
                self._group_of[member] = group
        self._inside: dict[int, tuple[float, int]] = {}  # the longest chain in a group so far
        self._within: dict[int, int] = {}  # of a group's row: the last row of that chain
        self._counted_from_start: set[int] = set()

    def follow(self) -> None:
        """Go through all rows in the order of their end."""
        columns, length, before, last, group_of = self._columns, self.length, self._before, self._last, self._group_of
        ends, branches, kinds = columns.end, columns.branch, columns.kinds
        group_of_row = array("i", [-1]) * len(length)
        took = map(sub, ends, columns.start)
        rows = zip(columns.node, branches, columns.attempt, columns.released_by, columns.ready, took, strict=True)
        for row, (node, branch, attempt, released_by, ready, so_far) in enumerate(rows):
            group = group_of[node] if branch else -1
            if so_far != so_far:
                so_far = 0.0
            if attempt > 1 and last[node] >= 0:
                released_by = node
            # What a group releases are its members, before it ends: its own row is still to come.
            if released_by >= 0 and released_by != group:
                found = last[released_by]
                if found >= 0 and (ends[found] > ready + _SAME_TIME or (group < 0 and branches[found] != branch)):
                    found = self._row_that_released(released_by, branch, ready)
                if found >= 0:
                    before[row] = found
                    pause = ready - ends[found]
                    so_far += length[found] + (pause if pause > 0 else 0.0)
                    if group < 0 and branch:
                        group = group_of_row[found]
            if kinds[node] == GROUP:
                so_far = self._with_members(node, row, so_far)
            length[row] = so_far
            if last[node] >= 0:
                self._earlier[row] = last[node]
            last[node] = row
            if group >= 0:
                group_of_row[row] = group
                self._notice_member(group, row, so_far, released_by == group)

    def _notice_member(self, group: int, row: int, so_far: float, released_by_group: bool) -> None:
        if released_by_group:
            self._counted_from_start.add(group)
        longest = self._inside.get(group)
        if longest is None or so_far > longest[0]:
            self._inside[group] = (so_far, row)

    def _row_that_released(self, node: int, branch: int, ready: float) -> int:
        """The latest row of a node that ended before ``ready``: of this branch if there is one."""
        columns, found, fallback = self._columns, self._last[node], -1
        for _ in range(64):  # what released an attempt is near; a loop of a million rounds is not searched
            if found < 0:
                break
            if not columns.end[found] > ready + _SAME_TIME:
                if columns.branch[found] == branch:
                    return found
                fallback = found if fallback < 0 else fallback
            found = self._earlier.get(found, -1)
        return fallback

    def _with_members(self, group: int, row: int, until_group: float) -> float:
        inside = self._inside.pop(group, None)
        if inside is None:
            return until_group
        self._within[row] = inside[1]
        if group in self._counted_from_start:
            return until_group + inside[0]
        return max(until_group, inside[0])

    def chain(self, row: int) -> list[int]:
        """The rows of bodies on the chain that ends with ``row``, the first one first."""
        columns, found = self._columns, []
        groups: list[int] = []  # whose own beginning comes when that of their members has been reached
        while row >= 0 or groups:
            if row < 0:
                row = self._before[groups.pop()]
            elif row in self._within:
                if columns.node[row] in self._counted_from_start:
                    groups.append(row)
                row = self._within[row]
            else:
                if columns.start[row] == columns.start[row]:
                    found.append(row)
                row = self._before[row]
        return found[::-1]
