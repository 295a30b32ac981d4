"""Owns rows N13, N14 and N18: graphs by edges, without values and with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contest import Entry, Goal, Row

LOOP = "ProcessPoolExecutor loop"


def _peers(shape: str, passing: bool, size: int, quick: bool) -> list[Entry]:
    given = {"shape": shape}
    heavy = [
        Entry("Dask distributed, values passed", "graphs:PeerGraph", 300, {**given, "peer": "dask"}, True, runs=2),
        Entry("Ray, values passed", "graphs:PeerGraph", 500, {**given, "peer": "ray"}, True, runs=2),
    ]
    return [
        Entry(LOOP, "graphs:PeerGraph", size, {**given, "peer": "executor", "passing": passing}, runs=3),
        *([] if quick else heavy),
    ]


def _n13(key: str, shape: str, work: str, quick: bool) -> Row:
    size, ours = 500 if quick else 5_000, "graflow_fast"
    return Row(
        key=key,
        work=f'{work}, edges only, `schedule="parallel"`',
        unit="µs a task",
        entries=[Entry(ours, "graphs:GraphTasks", size, {"shape": shape}), *_peers(shape, False, size, quick)],
        beside=LOOP,
        goals=[Goal("≤ 4 µs", ours, 4)],
    )


def n13a(quick: bool) -> Row:
    """A stencil."""
    return _n13("N13a", "stencil", "graph by edges: stencil of width 20", quick)


def n13b(quick: bool) -> Row:
    """One task, thousands behind it, one behind those."""
    return _n13("N13b", "fan", f"graph by edges: fan-out and fan-in of {500 if quick else 5_000}", quick)


def n14(quick: bool) -> Row:
    """The fan, in the order of the sequential schedule."""
    size, ours = 500 if quick else 5_000, "graflow_fast"
    return Row(
        key="N14",
        work=f"fan-out and fan-in of {size} by edges, sequential schedule",
        unit="µs a task",
        entries=[
            Entry(ours, "graphs:GraphTasks", size, {"shape": "fan", "schedule": "sequential"}),
            Entry(LOOP, "graphs:PeerGraph", size, {"shape": "fan", "peer": "executor", "passing": False}, runs=3),
        ],
        beside=LOOP,
        goals=[Goal("≤ 4 µs", ours, 4)],
    )


def _n18(key: str, shape: str, quick: bool) -> Row:
    size, fewer = (500, 200) if quick else (5_000, 1_000)
    asked, named = "graflow_fast, `ctx.get_result` of each", "graflow_fast, as parameters: a function each"
    given: dict[str, Any] = {"shape": shape}
    return Row(
        key=key,
        work=f"graph by edges whose tasks take the results of their predecessors: {shape} of width 20",
        unit="µs a task",
        entries=[
            Entry(asked, "graphs:GraphTasks", size, {**given, "passing": "context"}),
            Entry(named, "graphs:GraphTasks", fewer, {**given, "passing": "parameters"}, runs=3),
            *_peers(shape, True, size, quick),
        ],
        beside=LOOP,
        goals=[Goal("≤ 6 µs", asked, 6), Goal("≤ 16 µs: 6, and 10 for a function each", named, 16)],
    )


def _maker(key: str, shape: str) -> Callable[[bool], Row]:
    return lambda quick: _n18(key, shape, quick)


ROWS = {
    "N13a": n13a,
    "N13b": n13b,
    "N14": n14,
    **{key: _maker(key, shape) for key, shape in (("N18a", "stencil_1d"), ("N18b", "fft"), ("N18c", "spread"))},
}
