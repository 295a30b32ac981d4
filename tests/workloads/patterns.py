"""Task Bench's dependency patterns: which columns of the step before a task reads.

Written from the relations in "Task Bench: A Parameterized Benchmark for Evaluating Parallel Runtime Performance"
(SC20). Owns numbers only: it knows nothing of graflow_fast, so that benches and tests of anything may use it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Row = list[tuple[int, ...]]

RADIX = 5  # how many columns `nearest` and `spread` read
FRACTION, SEED = 0.5, 20  # `random_nearest` reads this share of what `nearest` reads

PATTERNS = (
    "trivial",
    "no_comm",
    "stencil_1d",
    "fft",
    "tree",
    "spread",
    "nearest",
    "all_to_all",
    "dom",
    "random_nearest",
)


def pattern(name: str, width: int, steps: int) -> list[Row]:
    """For each step and each of its columns, the columns of the step before that the task depends on.

    Parameters
    ----------
    name: one of `PATTERNS`.
    width: the number of tasks in a step, at least 1. Only a `tree` begins with fewer: a step has a row as long as
        it has tasks, twice as many as the one before until there are `width`.
    steps: the number of steps, at least 1.

    Returns
    -------
    One row for each step, one tuple for each of its columns, in ascending order and without repeats. Nothing
    depends on anything in the first step.

    Raises
    ------
    ValueError: for a name that is no pattern, or for a width or number of steps below 1.
    """
    if name not in RELATIONS:
        raise ValueError(f"no pattern is called {name!r}; there are {', '.join(PATTERNS)}")
    if width < 1 or steps < 1:
        raise ValueError(f"a pattern has at least one column and one step, not {width} and {steps}")
    relation = RELATIONS[name]
    rows: list[Row] = []
    for step in range(steps):
        columns = width_at(name, width, step)
        before = width_at(name, width, step - 1) if step else 0
        rows.append([within(relation(width, step, column), before) for column in range(columns)])
    return rows


def width_at(name: str, width: int, step: int) -> int:
    """How many tasks a step has."""
    return min(width, 1 << min(step, 62)) if name == "tree" else width


def within(columns: set[int], width: int) -> tuple[int, ...]:
    """The columns that exist, in order."""
    return tuple(sorted(column for column in columns if 0 <= column < width))


def fft(width: int, step: int, column: int) -> set[int]:
    """A butterfly: the stride doubles with each step and begins again when it has spanned the width."""
    stages = max(1, (width - 1).bit_length())
    stride = 1 << ((step - 1) % stages)
    return {column - stride, column, column + stride}


def spread(width: int, step: int, column: int) -> set[int]:
    """Columns far apart, others in each step."""
    radix = min(RADIX, width)
    shift = (step - 1) % -(-width // radix)
    return {(column + index * width // radix + (shift if index else 0)) % width for index in range(radix)}


def random_nearest(_width: int, step: int, column: int) -> set[int]:
    """The column itself and some of its neighbours, the same ones in every process."""
    chance = Random(f"{SEED} {step} {column}")
    reach = RADIX // 2
    others = (other for other in range(column - reach, column + reach + 1) if other != column)
    return {column} | {other for other in others if chance.random() < FRACTION}


RELATIONS: dict[str, Callable[[int, int, int], set[int]]] = {
    "trivial": lambda width, step, column: set(),
    "no_comm": lambda width, step, column: {column},
    "stencil_1d": lambda width, step, column: {column - 1, column, column + 1},
    "fft": fft,
    "tree": lambda width, step, column: {column // 2},  # twice as many tasks with each step, until it is full
    "spread": spread,
    "nearest": lambda width, step, column: set(range(column - (RADIX - 1) // 2, column + RADIX // 2 + 1)),
    "all_to_all": lambda width, step, column: set(range(width)),
    "dom": lambda width, step, column: {column - 1, column},
    "random_nearest": random_nearest,
}
