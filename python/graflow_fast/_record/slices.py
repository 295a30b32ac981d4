"""The trace of a run, for ui.perfetto.dev and chrome://tracing: a track for each worker, a slice for each attempt.

Slices of one track must not overlap unless one lies within the other, so bodies that overlap get tracks beside each
other.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

from graflow_fast._record.columns import NOBODY, STATUSES, Columns, known_end
from graflow_fast._record.figures import function_names
from graflow_fast._record.paths import Path

#: Viewers die of more. Above it slices of one function that follow each other on a track are told as one.
MOST_SLICES = 1_000_000


def write_trace(columns: Columns, path: Path, file: str | os.PathLike[str], *, most: int = MOST_SLICES) -> None:
    """Write the trace; see `RecordedRun.trace`."""
    with _opened(os.fspath(file)) as out:
        out.write('{"displayTimeUnit":"ms","otherData":')
        out.write(json.dumps({key: str(value) for key, value in columns.meta.items()}))
        out.write(',"traceEvents":[\n')
        written = map(json.dumps, _events(columns, path, most))
        out.write(next(written))
        while some := list(islice(written, 1000)):
            out.write(",\n" + ",\n".join(some))
        out.write("\n]}\n")


def _opened(name: str) -> IO[str]:
    return gzip.open(name, "wt", 6, "ascii") if name.endswith(".gz") else open(name, "w", encoding="ascii")


def _events(columns: Columns, path: Path, most: int) -> Iterator[dict[str, Any]]:
    pid = columns.meta.get("pid") or 0
    yield {"ph": "M", "pid": pid, "name": "process_name", "args": {"name": str(columns.meta["workflow"])}}
    tracks = _tracks(columns)
    together = -(-sum(map(len, (rows for _, _, rows in tracks))) * 2 // most)
    steps = [step.row for step in path.steps]
    on_path = set(steps)
    numbers: dict[int, int] = {}
    for number, (worker, beside, rows) in enumerate(tracks):
        name = "calling thread" if worker < 0 else f"worker {worker}"
        name = f"{name}, at the same time {beside}" if beside else name
        yield {"ph": "M", "pid": pid, "tid": number, "name": "thread_name", "args": {"name": name}}
        yield {"ph": "M", "pid": pid, "tid": number, "name": "thread_sort_index", "args": {"sort_index": number}}
        numbers.update((row, number) for row in rows if row in on_path)
        slices = _slices(columns, rows) if together <= 2 else _joined(columns, rows, together)
        for each in slices:
            yield {"ph": "X", "pid": pid, "tid": number, **each}
    for at, row in enumerate(steps if len(steps) > 1 else []):
        flow = "s" if at == 0 else "f" if at == len(steps) - 1 else "t"
        place = {"pid": pid, "tid": numbers[row], "ts": _microseconds(columns.start[row])}
        yield {"ph": flow, "id": 1, "name": "critical path", "cat": "path", "bp": "e", **place}


def _microseconds(seconds: float) -> float:
    return round(seconds * 1e6, 3)


def _tracks(columns: Columns) -> list[tuple[int, int, list[int]]]:
    """Worker, number beside the worker's first track, and rows in the order of their start."""
    own: dict[int, list[int]] = {}
    for row, (worker, start) in enumerate(zip(columns.worker, columns.start, strict=True)):
        if worker != NOBODY and start == start:
            own.setdefault(worker, []).append(row)
    tracks = []
    for worker in sorted(own):
        beside: list[tuple[float, list[int]]] = []
        for row in sorted(own[worker], key=columns.start.__getitem__):
            start = columns.start[row]
            at = next((at for at, (free, _) in enumerate(beside) if free <= start), len(beside))
            rows = beside[at][1] if at < len(beside) else []
            rows.append(row)
            beside[at : at + 1] = [(_end(columns, row), rows)]
        tracks += [(worker, at, rows) for at, (_, rows) in enumerate(beside)]
    return tracks


def _end(columns: Columns, row: int) -> float:
    end = columns.end[row]
    return end if end == end else max(known_end(columns), columns.start[row])


def _slices(columns: Columns, rows: list[int]) -> Iterator[dict[str, Any]]:
    names, functions = columns.names, function_names(columns)
    for row in rows:
        node, start, end = columns.node[row], _microseconds(columns.start[row]), _microseconds(_end(columns, row))
        by = columns.released_by[row]
        told: dict[str, Any] = {"status": STATUSES[columns.outcome[row]], "attempt": columns.attempt[row]}
        if by >= 0:
            told["released_by"] = names[by]
        if columns.ready[row] == columns.ready[row]:
            told["waited_us"] = max(0.0, round(start - _microseconds(columns.ready[row]), 3))
        if row in columns.errors:
            told["error"] = ": ".join(columns.errors[row][:2])
        yield {"name": names[node], "cat": functions[node], "ts": start, "dur": round(end - start, 3), "args": told}


def _joined(columns: Columns, rows: list[int], together: int) -> Iterator[dict[str, Any]]:
    functions = function_names(columns)
    for at in range(0, len(rows), together):
        some = rows[at : at + together]
        start, end = _microseconds(columns.start[some[0]]), _microseconds(_end(columns, some[-1]))
        names = sorted({functions[columns.node[row]] for row in some})
        failed = sum(columns.outcome[row] != 0 for row in some)
        name = f"{', '.join(names[:3])} ×{len(some)}"
        yield {
            "name": name,
            "ts": start,
            "dur": round(end - start, 3),
            "args": {"attempts": len(some), "failed": failed},
        }
