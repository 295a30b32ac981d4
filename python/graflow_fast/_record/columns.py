"""What the record of a run consists of: a row for each attempt, in columns.

Owns their meaning; knows no reader or writer.

Columns and not objects, since a run may have millions of attempts, and a column of a million numbers is one piece of
memory that can be packed, summed and cut without a look at each.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any

from graflow_fast.exceptions import GraflowRuntimeError

#: `Columns.kinds`: what a node is.
TASK, GROUP, MAP = range(3)

#: `Columns.outcome`: how an attempt ended.
COMPLETED, FAILED, RETRIED, ABANDONED, SKIPPED, RUNNING = range(6)

#: `Columns.outcome` in words, by number.
STATUSES = ("completed", "failed", "retried", "abandoned", "skipped", "running")

#: `Columns.worker`: the calling thread, and none at all.
CALLER, NOBODY = -1, -2


class BrokenRecordError(GraflowRuntimeError):
    """The record of a run contradicts itself: columns of different length, or tasks that it doesn't name."""


#: Where a result came from, as `_body.origins` numbers it: the cache; the body, and it is kept; the body, and it isn't.
TAKEN, MADE, NOT_KEPT = range(3)


@dataclass
class Columns:
    """One run. Times are seconds since ``meta["started"]``; NaN where there is none.

    Attributes:
        meta: ``workflow``, ``run`` (its id, or None), ``pid``, ``started`` (seconds since 1970), ``ended`` (seconds
            since the start, or None), ``executor``, ``schedule``, ``workers`` (how many), ``outcome`` ("completed",
            "terminated", "failed", "cancelled", "max_steps", "running" or "killed"), ``error`` (its text, or None),
            ``argv``, ``cwd``, ``python``, ``version``.
        names: The name of each node.
        functions: What the function of each node is called; "" for groups.
        kinds: `TASK`, `GROUP` or `MAP` for each node.
        edges: Edges of the graph: source, target, source, target, ... by node.
        members: The member nodes of each group.
        node: The node of each row. Rows are ended attempts, in the order of their end.
        branch: 0 for the workflow's own, else the number of the branch of a group's member.
        attempt: 1 for the first attempt; a retry has one more.
        outcome: `COMPLETED`, `FAILED` (for good), `RETRIED` (failed, and tried again), `ABANDONED`, `SKIPPED` (never
            ran; no times), `RUNNING` (when the record ended).
        worker: The number of the process or thread that ran the body, `CALLER`, or `NOBODY` (groups, what never ran).
        released_by: The node whose end made this attempt ready, -1 for none.
        ready: When the attempt could have started.
        start: When its body started.
        end: When its body ended.
        errors: Type, message and text of the traceback, by row.
        options: Priority and lane of the nodes that have any.
        lanes: Of each lane how many of its attempts may run at once (None: all), and the resources that an
            attempt takes, with their units.
        totals: How many units there are of each resource.
        origins: Of tasks with ``cache=True``, by name: `TAKEN`, `MADE` or `NOT_KEPT`, and what is known of that.
    """

    meta: dict[str, Any]
    names: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    kinds: bytes | bytearray = b""
    edges: array[int] = field(default_factory=lambda: array("I"))
    members: dict[int, list[int]] = field(default_factory=dict)
    node: array[int] = field(default_factory=lambda: array("I"))
    branch: array[int] = field(default_factory=lambda: array("Q"))
    attempt: array[int] = field(default_factory=lambda: array("I"))
    outcome: bytes | bytearray = b""
    worker: array[int] = field(default_factory=lambda: array("h"))
    released_by: array[int] = field(default_factory=lambda: array("i"))
    ready: array[float] = field(default_factory=lambda: array("d"))
    start: array[float] = field(default_factory=lambda: array("d"))
    end: array[float] = field(default_factory=lambda: array("d"))
    errors: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    options: dict[int, tuple[int, int]] = field(default_factory=dict)
    lanes: dict[int, tuple[int | None, tuple[tuple[int, int], ...]]] = field(default_factory=dict)
    totals: dict[int, int] = field(default_factory=dict)
    origins: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def check(self) -> None:
        """Look for contradictions between columns.

        Raises:
            BrokenRecordError: One was found; the message names the column.
        """
        rows, nodes = len(self.node), len(self.names)
        lengths = {"functions": len(self.functions), "kinds": len(self.kinds)}
        for name in ("branch", "attempt", "outcome", "worker", "released_by", "ready", "start", "end"):
            _expect(len(getattr(self, name)) == rows, f"'{name}' has another length than 'node' ({rows} rows)")
        for name, length in lengths.items():
            _expect(length == nodes, f"'{name}' has {length} nodes, and there are {nodes} names")
        _expect(len(self.edges) % 2 == 0, "'edges' ends in the middle of an edge")
        for name, used in (("node", self.node), ("edges", self.edges), ("released_by", self.released_by)):
            _expect(max(used, default=-1) < nodes, f"'{name}' has a node without a name")
        _expect(max(self.outcome, default=0) < len(STATUSES), "'outcome' has a number that means nothing")


def _expect(holds: bool, problem: str) -> None:
    if not holds:
        raise BrokenRecordError(
            f"The record of this run can't be read: {problem}. Its file is damaged, or not a record."
        )


def known_end(columns: Columns) -> float:
    """When the run ended, in seconds since its start; of one that didn't, when the last known thing happened."""
    ended = columns.meta.get("ended")
    if ended is not None:
        return float(ended)
    times = (columns.ready, columns.start, columns.end)
    return max(0.0, *(max(each, key=_comparable, default=0.0) for each in times))


def _comparable(time: float) -> float:
    """NaN is neither more nor less than anything, so it may not take part."""
    return time if time == time else -1.0
