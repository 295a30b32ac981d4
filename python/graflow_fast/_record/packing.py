"""Rows as few bytes: columns of small numbers, deflated together. Owns the layout that `page/rows.js` reads.

Numbers are kept as differences where those are small (a task's start follows the end of the one before on its worker),
and by planes: all lowest bytes, then all second ones, so that the high bytes, mostly zero, take no room.
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Iterable
from operator import itemgetter, sub
from typing import Any, NamedTuple

from graflow_fast._record.columns import Columns

#: Longer names and messages are cut: a page of a few can't show them anyway.
LONGEST_NAME = 1000
LONGEST_MESSAGE = 2000
LONGEST_TRACEBACK = 65_536

#: So much text of errors is kept in all, in characters.
MOST_ERROR_TEXT = 10_000_000


#: From here on packing is made to be quick.
MANY_ROWS = 100_000


class Packed(NamedTuple):
    """Rows of a run, deflated, and what a reader has to know of them."""

    data: bytes
    layout: dict[str, Any]  # rows, nodes, unit (seconds), columns: [name, kind of number, how many], bytes of text
    errors_left_out: int


def pack(columns: Columns, rows: array[int] | None = None) -> Packed:
    """Pack all rows of a run, or some.

    Args:
        columns: The run.
        rows: The rows to keep, in order; all without.
    """
    picked, row_numbers = (columns, None) if rows is None else (_picked(columns, rows), rows)
    parts: list[tuple[str, bytes, str, int]] = []

    def add(name: str, numbers: array[Any] | bytes | bytearray) -> None:
        code = numbers.typecode if isinstance(numbers, array) else "B"
        parts.append((name, _planes(numbers), code, len(numbers)))

    times = _Times(picked)
    add("node", _differences(picked.node))
    add("by", _differences(picked.released_by))
    add("outcome", picked.outcome)
    add("attempt", array("H", (attempt if attempt < 65_535 else 65_535 for attempt in picked.attempt)))
    add("worker", picked.worker)
    add("ready", times.ready)
    add("gap", times.gap)
    add("ran", times.ran)
    add("no_ready", _differences(times.no_ready))
    add("no_start", _differences(times.no_start))
    add("no_end", _differences(times.no_end))
    if row_numbers is not None:
        add("row", _differences(row_numbers))
    add("kind", picked.kinds)
    functions: dict[str, int] = {}
    add("function", array("i", [functions.setdefault(name, len(functions)) for name in picked.functions]))
    errors, left_out = _errors(picked)
    text = _text([_cut(picked.names), list(functions), errors])
    # Of many rows the second half of the time would save a twentieth of the bytes.
    level = 1 if len(picked.node) > MANY_ROWS else 9
    deflate = zlib.compressobj(level, zlib.DEFLATED, 15)
    data = b"".join([*(deflate.compress(part) for _, part, _, _ in parts), deflate.compress(text), deflate.flush()])
    layout = {
        "rows": len(picked.node),
        "nodes": len(picked.names),
        "unit": times.unit,
        "columns": [[name, code, count] for name, _, code, count in parts],
        "text": len(text),
    }
    return Packed(data, layout, left_out)


def time_unit(latest: float) -> float:
    """The power of ten, a microsecond at least, in which all times up to ``latest`` are numbers of 31 bits."""
    exponent = -6
    while latest / 10.0**exponent > 2**31 - 2:
        exponent += 1
    return float(f"1e{exponent}")


class _Times:
    """Times as whole numbers of a unit.

    Ready is kept as the difference to the row before, start as that to the end before on its worker, and the end as how
    long it ran.
    """

    def __init__(self, columns: Columns) -> None:
        found = [_numbers_and_holes(times) for times in (columns.ready, columns.start, columns.end)]
        self.unit = time_unit(max(max(times, default=0.0) for times, _ in found))
        scale = 1.0 / self.unit
        (ready, no_ready), (start, no_start), (end, no_end) = (
            (array("i", map(int, map(scale.__mul__, times))), holes) for times, holes in found
        )
        for row in no_start:
            end[row] = start[row] = 0
        for row in no_end:
            end[row] = start[row]
        self.ready = _differences(ready)
        self.ran = array("i", map(sub, end, start))
        self.gap = array("i", bytes(4 * len(start)))
        last_end = dict.fromkeys(columns.worker, 0)
        for row, (worker, began, ended) in enumerate(zip(columns.worker, start, end, strict=True)):
            self.gap[row] = began - last_end[worker]
            last_end[worker] = ended
        # A reader goes on from 0 where there is no time.
        self.no_ready, self.no_start, self.no_end = (array("I", holes) for holes in (no_ready, no_start, no_end))


def _numbers_and_holes(times: array[float]) -> tuple[array[float], list[int]]:
    """The same with 0 in place of NaN, and where that was."""
    holes = [row for row, time in enumerate(times) if time != time]
    if holes:
        times = times[:]
        for row in holes:
            times[row] = 0.0
    return times, holes


def _differences(numbers: array[int]) -> array[int]:
    return array("i", map(sub, numbers, array(numbers.typecode, [0]) + numbers[:-1])) if numbers else array("i")


def _planes(numbers: array[Any] | bytes | bytearray) -> bytes:
    if not isinstance(numbers, array):
        return bytes(numbers)
    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    data, width = numbers.tobytes(), numbers.itemsize
    return b"".join(data[plane::width] for plane in range(width))


def _picked(columns: Columns, rows: array[int]) -> Columns:
    """Some rows of a run, and only the nodes that these name, with numbers of their own."""

    def some(values: Any) -> tuple[Any, ...]:
        return itemgetter(*rows)(values) if len(rows) > 1 else tuple(values[row] for row in rows)

    nodes, released_by = some(columns.node), some(columns.released_by)
    used = sorted({*nodes, *(node for node in released_by if node >= 0)})
    number = {node: at for at, node in enumerate(used)}
    number[-1] = -1
    found = {row: at for at, row in enumerate(rows) if row in columns.errors}
    return Columns(
        columns.meta,
        [columns.names[node] for node in used],
        [columns.functions[node] for node in used],
        bytes(columns.kinds[node] for node in used),
        node=array("I", map(number.__getitem__, nodes)),
        released_by=array("i", map(number.__getitem__, released_by)),
        attempt=array("I", some(columns.attempt)),
        outcome=bytes(some(columns.outcome)),
        worker=array("h", some(columns.worker)),
        ready=array("d", some(columns.ready)),
        start=array("d", some(columns.start)),
        end=array("d", some(columns.end)),
        errors={at: columns.errors[row] for row, at in found.items()},
    )


def _cut(names: list[str]) -> list[str]:
    if max(map(len, names), default=0) <= LONGEST_NAME:
        return names
    return [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in names]


def _errors(columns: Columns) -> tuple[dict[str, list[str]], int]:
    """Errors by row; of too many for a page, the first ones with, the others without traceback."""
    kept: dict[str, list[str]] = {}
    room, left_out = MOST_ERROR_TEXT, 0
    for row, (kind, message, traceback) in columns.errors.items():
        message = message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
        if len(traceback) > LONGEST_TRACEBACK:
            traceback = "…" + traceback[-LONGEST_TRACEBACK:]  # what was raised stands at its end
        if len(traceback) > room:
            traceback, left_out = "", left_out + 1
        room -= len(traceback)
        kept[str(row)] = [kind[:LONGEST_NAME], message, traceback]
    return kept, left_out


def _text(value: Iterable[Any]) -> bytes:
    # ASCII, so what is no text (half a surrogate pair) crosses as its escape.
    return json.dumps(value, separators=(",", ":")).encode("ascii")
