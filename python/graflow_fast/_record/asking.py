"""What the tasks of a recorded run must have asked for, for its rows to be as they are: next_task, goto, another round.

A record says who released whom and not how, so this is inferred: what a task released and is no successor of it, it
asked for; if its successors did not follow then, it jumped. Must not know the scheduler.
"""

from __future__ import annotations

from bisect import bisect_right

from graflow_fast._actions import CANCEL, ENQUEUE, GOTO, ITERATE, TERMINATE
from graflow_fast._record.columns import COMPLETED, FAILED, GROUP, SKIPPED, Columns

#: Clocks of two processes agree to this, in seconds.
_SAME_TIME = 1e-6

Directive = tuple[int, int, int]


def directives_of(columns: Columns, own: list[int]) -> dict[int, tuple[Directive, ...]]:
    """What each attempt asked for, by row; those that asked for nothing are not there.

    Args:
        columns: The run.
        own: The rows of attempts, without those of chunks.
    """
    asking = _Asking(columns, own)
    found: dict[int, tuple[Directive, ...]] = {}
    for row, released in asking.released.items():
        directives = asking.of_row(row, released)
        if directives:
            found[row] = directives
    outcome = columns.meta.get("outcome")
    if outcome in ("terminated", "cancelled"):
        ended, directive = (COMPLETED, TERMINATE) if outcome == "terminated" else (FAILED, CANCEL)
        bodies = [row for row in own if columns.outcome[row] == ended and columns.kinds[columns.node[row]] != GROUP]
        if bodies:
            last = max(bodies, key=columns.end.__getitem__)
            found[last] = (*found.get(last, ()), (directive, 0, 0))
    return found


class _Asking:
    """Who released whom, and who could have."""

    def __init__(self, columns: Columns, own: list[int]) -> None:
        self._columns = columns
        self._successors: dict[int, list[int]] = {}
        self._in_edges = [0] * len(columns.names)
        for place in range(0, len(columns.edges), 2):
            source, target = columns.edges[place], columns.edges[place + 1]
            self._successors.setdefault(source, []).append(target)
            self._in_edges[target] += 1
        # The attempts of each node by their end, in a branch and wherever.
        self._ends: dict[tuple[int, int], tuple[list[float], list[int]]] = {}
        self._readies: dict[int, list[float]] = {}
        for row in sorted(own, key=lambda row: columns.end[row] if columns.end[row] == columns.end[row] else 1e300):
            if columns.outcome[row] == SKIPPED:
                continue
            for branch in (columns.branch[row], -1):
                ends, rows = self._ends.setdefault((columns.node[row], branch), ([], []))
                ends.append(columns.end[row])
                rows.append(row)
            if columns.ready[row] == columns.ready[row]:
                self._readies.setdefault(columns.node[row], []).append(columns.ready[row])
        for times in self._readies.values():
            times.sort()
        self._members = {group: frozenset(members) for group, members in columns.members.items()}
        self.released: dict[int, list[int]] = {}
        for row in own:
            by = self._released_by(row)
            if by >= 0:
                self.released.setdefault(by, []).append(row)

    def _released_by(self, row: int) -> int:
        """The attempt whose end made a row ready, -1 for none and for members of groups and retries."""
        columns = self._columns
        by, node = columns.released_by[row], columns.node[row]
        if by < 0 or columns.attempt[row] > 1 or columns.outcome[row] == SKIPPED:
            return -1
        if columns.branch[row] and node in self._members.get(by, ()):
            return -1
        for branch in (columns.branch[row], -1):
            ends, rows = self._ends.get((by, branch), ([], []))
            place = bisect_right(ends, columns.ready[row] + _SAME_TIME)
            if place:
                return rows[place - 1]
        return -1

    def of_row(self, row: int, released: list[int]) -> tuple[Directive, ...]:
        """What an attempt asked for that released these rows."""
        columns = self._columns
        node = columns.node[row]
        if columns.outcome[row] != COMPLETED:
            return ()
        nodes = list(dict.fromkeys(columns.node[other] for other in released))
        if node in nodes:
            return ((ITERATE, 0, 0),)
        successors = self._successors.get(node, [])
        asked = [other for other in nodes if other not in successors]
        after, until = columns.end[row], self._next_end(row)
        if asked:
            jumps = bool(successors) and not any(self._was_ready(each, after, until) for each in successors)
            return tuple((GOTO if jumps else ENQUEUE, other, 0) for other in asked)
        left_out = any(self._in_edges[each] == 1 and not self._was_ready(each, after, until) for each in successors)
        if nodes and left_out and columns.meta.get("outcome") == "completed":
            return tuple((GOTO, other, 0) for other in nodes)
        return ()

    def _next_end(self, row: int) -> float:
        """When the next attempt of the same node ended in the same branch."""
        columns = self._columns
        ends, _ = self._ends[columns.node[row], columns.branch[row]]
        place = bisect_right(ends, columns.end[row])
        return ends[place] if place < len(ends) and ends[place] == ends[place] else float("inf")

    def _was_ready(self, node: int, after: float, until: float) -> bool:
        times = self._readies.get(node, [])
        place = bisect_right(times, after - _SAME_TIME)
        return place < len(times) and times[place] < until
