"""From the parts of a record, as they were written while a run went on, to columns: what a part means to readers.

The other end is `_run/recording.py`. Must not know where parts are kept.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from graflow_fast._core import read_rows
from graflow_fast._record.columns import GROUP, NOBODY, RUNNING, SKIPPED, BrokenRecordError, Columns

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER, _NODES, _MEMBERS, _EDGES, _ROWS, _FAILURES, _SKIPPED, _END, _LIMITS, _RENAMED, _CACHED = b"HNMDRFSELAC"
_KINDS = {"t": 0, "g": 1, "m": 2}
#: How a context says it, and how a record does.
_OUTCOMES = {"canceled": "cancelled"}


class _Parts:
    """The parts of one record, sorted by what they are."""

    def __init__(self) -> None:
        self.meta: dict[str, Any] | None = None
        self.end: dict[str, Any] | None = None
        self.columns = Columns({})
        self.kinds = bytearray()
        self.rows: list[bytes] = []
        self.failures: list[tuple[int, int, int, str, str, str]] = []
        self.skipped: list[int] = []
        #: What nodes stood for: (until so many rows were made, or -1 from then on, node, name, function).
        self.renamed: list[tuple[int, int, str, str]] = []

    def add(self, part: bytes) -> None:
        kind, content = part[0], part[1:]
        if kind == _ROWS:
            self.rows.append(content)
            return
        value = json.loads(content.decode("utf-8", "surrogatepass"))
        if kind == _HEADER:
            self.meta = value
        elif kind == _NODES:
            self.columns.names.extend(value["names"])
            self.columns.functions.extend([value["functions"][number] for number in value["function"]])
            self.kinds.extend([_KINDS[kind] for kind in value["kinds"]])
        elif kind == _MEMBERS:
            group, runs = value
            members = self.columns.members.setdefault(group, [])
            for first, count in runs:
                members.extend(range(first, first + count))
        elif kind == _EDGES:
            self.columns.edges.extend(value)
        elif kind == _FAILURES:
            self.failures.extend(value)
        elif kind == _SKIPPED:
            self.skipped.extend(value)
        elif kind == _RENAMED:
            self.renamed.extend(value)
        elif kind == _LIMITS:
            self.columns.options.update((node, (priority, lane)) for node, priority, lane in value["options"])
            lanes = value["lanes"]
            self.columns.lanes.update((lane, (limit, tuple(map(tuple, demand)))) for lane, limit, demand in lanes)
            self.columns.totals.update(map(tuple, value["totals"]))
        elif kind == _CACHED:
            self.columns.origins.update((task, tuple(origin)) for task, *origin in value)
        elif kind == _END:
            self.end = value


def columns_of(parts: Iterable[bytes], run: int | str | None = None, is_running: bool = False) -> Columns:
    """Return what a record says.

    Args:
        parts: in the order in which they were written; the last ones may be missing.
        run: the run's id.
        is_running: whether more parts are to come; else a record without an end is that of a run that was killed.

    Raises:
        BrokenRecordError: a part can't be read.
    """
    found = _Parts()
    try:
        for part in parts:
            if part[0] == _HEADER:  # of a durable run each process tells all again
                found = _Parts()
            found.add(part)
        columns = found.columns
        if found.meta is None:
            raise ValueError("it does not begin with what the run was")
        _add_rows(columns, found)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise BrokenRecordError(f"The record of run {run} can't be read: {error}. Its file is damaged.") from error
    columns.kinds = bytes(found.kinds)
    columns.meta = {**found.meta, "run": run, **_ending(found.end, is_running)}
    return columns


def _ending(end: dict[str, Any] | None, is_running: bool) -> dict[str, Any]:
    if end is None:
        return {"ended": None, "error": None, "outcome": "running" if is_running else "killed"}
    outcome = _OUTCOMES.get(end["outcome"], end["outcome"])
    return {"ended": end["ended"], "error": end["error"], "outcome": outcome}


def _add_rows(columns: Columns, found: _Parts) -> None:
    kept = read_rows(found.rows)
    columns.outcome = bytearray(kept[3])
    numbers = (columns.node, columns.branch, columns.attempt, columns.worker, columns.released_by)
    for column, data in zip(numbers, (kept[0], kept[1], kept[2], kept[4], kept[5]), strict=True):
        column.frombytes(data)
    for times, data in zip((columns.ready, columns.start, columns.end), kept[6:], strict=True):
        times.frombytes(data)
    columns.attempt = array("I", [number + 1 for number in columns.attempt])
    _add_failures(columns, found.failures)
    if found.renamed:
        _rename(columns, found)
    ran = bytearray(len(columns.names))
    for node in columns.node:
        ran[node] = 1
    nothing = float("nan")
    for node in found.skipped:
        if not ran[node]:
            columns.node.append(node)
            columns.branch.append(0)
            columns.attempt.append(1)
            columns.outcome.append(SKIPPED)
            columns.worker.append(NOBODY)
            columns.released_by.append(-1)
            for times in (columns.ready, columns.start, columns.end):
                times.append(nothing)
    for row, outcome in enumerate(columns.outcome):
        if outcome == RUNNING:
            columns.end[row] = nothing
    if GROUP in found.kinds:  # they have no body: what takes time is their members
        for row, node in enumerate(columns.node):
            if found.kinds[node] == GROUP:
                columns.start[row] = columns.end[row]


def _rename(columns: Columns, found: _Parts) -> None:
    """Give each task that a node stood for in turn a node of its own: forgotten tasks leave theirs to others."""
    tasks: dict[int, list[tuple[int, int]]] = {}
    for until, node, name, function in found.renamed:
        if until < 0:
            columns.names[node], columns.functions[node] = name, function
            continue
        tasks.setdefault(node, []).append((until, len(columns.names)))
        columns.names.append(name)
        columns.functions.append(function)
        found.kinds.append(found.kinds[node])
    ends = {node: [until for until, _ in each] for node, each in tasks.items()}
    for numbers in (columns.node, columns.released_by):
        for row, node in enumerate(numbers):
            if node in tasks:
                place = bisect_right(ends[node], row)
                if place < len(ends[node]):
                    numbers[row] = tasks[node][place][1]


def _add_failures(columns: Columns, failures: list[tuple[int, int, int, str, str, str]]) -> None:
    """Give the rows of failed attempts what they failed with: one by one, for a body may fail in each round."""
    waiting: dict[tuple[int, int, int], list[tuple[str, str, str]]] = {}
    for node, branch, number, *error in failures:
        waiting.setdefault((node, branch, number + 1), []).append((error[0], error[1], error[2]))
    if not waiting:
        return
    for row, outcome in enumerate(columns.outcome):
        if outcome in (1, 2):
            errors = waiting.get((columns.node[row], columns.branch[row], columns.attempt[row]))
            if errors:
                columns.errors[row] = errors.pop(0)
