"""Owns the graphs that rows run: for each task, in an order that respects them, the numbers of its predecessors.

The patterns are Task Bench's, defined once in tests/workloads/patterns.py. Knows nothing of who runs a graph.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from bodies import value
from contest import HERE

Shape = list[tuple[int, ...]]  # the predecessors of each task, by number; all of them smaller than its own

METG_WIDTH = 16
METG_PATTERNS = ("trivial", "no_comm", "stencil_1d", "fft", "tree", "spread", "nearest", "all_to_all")


def pattern(name: str, width: int, size: int) -> Shape:
    """One of Task Bench's patterns with at least `size` tasks: whole steps of it."""
    rows = _rows(name, width, -(-size // width) + (width.bit_length() if name == "tree" else 0))
    shape: Shape = []
    before = 0  # the number of the first task of the step before
    for row in rows:
        if len(shape) >= size:
            break
        first = len(shape)
        shape.extend(tuple(before + column for column in columns) for columns in row)
        before = first
    return shape


def fan(size: int) -> Shape:
    """One task, all but two of the others behind it, and one behind all of those."""
    return [(), *[(0,)] * (size - 2), tuple(range(1, size - 1))]


def pairs(size: int) -> Shape:
    """Chains of two."""
    return [() if number % 2 == 0 else (number - 1,) for number in range(size // 2 * 2)]


def groups(size: int, members: int = 10) -> Shape:
    """Groups one after another, each member behind all members of the group before."""
    shape: Shape = []
    for first in range(0, size // members * members, members):
        shape.extend([tuple(range(max(0, first - members), first))] * members)
    return shape


def values(shape: Shape) -> list[int]:
    """What each task of a graph should return."""
    found: list[int] = []
    for predecessors in shape:
        found.append(value([found[number] for number in predecessors]))
    return found


def _load() -> Callable[[str, int, int], list[list[tuple[int, ...]]]]:
    path = HERE.parent / "tests/workloads/patterns.py"
    spec = importlib.util.spec_from_file_location("workload_patterns", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str, int, int], list[list[tuple[int, ...]]]] = module.pattern
    return found


_rows = _load()
SHAPES: dict[str, Callable[[int], Shape]] = {
    "stencil": lambda size: pattern("stencil_1d", 20, size),
    "fan": fan,
    "pairs": pairs,
    "groups": groups,
}
