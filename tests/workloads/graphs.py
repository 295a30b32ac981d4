"""Runs a graph of tasks with graflow_fast and says what each of them was given; knows no particular graph.

A task's value follows from its name and from those of its predecessors, so one that ran too early, twice or with a
wrong argument shows in its own value and in all values behind it.
"""

from __future__ import annotations

import zlib
from typing import Any

from graflow_fast import task, workflow

from .patterns import pattern
from .shapes import Shape


def of_pattern(name: str, width: int, steps: int) -> Shape:
    """A pattern as a dictionary of task -> its predecessors."""
    rows = pattern(name, width, steps)
    return {
        f"s{step}_{column}": tuple(f"s{step - 1}_{other}" for other in read)
        for step, row in enumerate(rows)
        for column, read in enumerate(row)
    }


def mix(name: str, values: dict[str, Any]) -> int:
    """What a task makes of what it was given."""
    return zlib.crc32(repr((name, sorted(values.items()))).encode())


def expected(graph: Shape) -> dict[str, int]:
    """The value of each task, computed one after the other."""
    values: dict[str, int] = {}
    for name, before in graph.items():
        values[name] = mix(name, {other: values[other] for other in before})
    return values


def run(graph: Shape, way: str, schedule: str, **options: Any) -> Any:
    """Run a graph and return its context.

    Parameters
    ----------
    graph: the tasks.
    way: how a task gets its predecessors' values: "parameters" named after them, or "results" that it reads.
    schedule: "parallel", or "sequential" behind a task called `start` that all roots follow.
    options: for `execute`.
    """
    wf = workflow("graph", schedule=schedule)
    with wf:
        made = {name: make(name, before, way) for name, before in graph.items()}
        if schedule == "sequential":
            start = task("start")(lambda: None)
            for name, before in graph.items():
                if not before:
                    start >> made[name]
        for name, before in graph.items():
            for other in before:
                made[other] >> made[name]
    return wf.execute(ret_context=True, **options)[1]


def make(name: str, before: tuple[str, ...], way: str) -> Any:
    """A task that counts its runs and mixes what it is given."""
    if way == "results":

        def reading(ctx: Any) -> int:
            ctx.get_channel().atomic_add("runs")
            ctx.get_channel().append("order", name)
            return mix(name, {other: ctx.get_result(other) for other in before})

        return task(name, inject_context=True)(reading)
    names = ", ".join(before)
    values = ", ".join(f"{other!r}: {other}" for other in before)
    namespace: dict[str, Any] = {"mix": mix}
    exec(f"def given({names}):\n    return mix({name!r}, {{{values}}})\n", namespace)
    return task(name)(namespace["given"])
