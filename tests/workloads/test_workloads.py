"""The graphs of the literature: every task once, behind all of its predecessors, with exactly their values."""

from __future__ import annotations

from typing import Any

import pytest

from .graphs import expected, of_pattern, run
from .patterns import PATTERNS
from .shapes import SHAPES, Shape, shape

EXECUTORS: dict[str, dict[str, Any]] = {
    "inline": {"executor": "inline"},
    "thread": {"executor": "thread", "max_workers": 2},
    "process(1)": {"executor": "process", "max_workers": 1},
    "process(3)": {"executor": "process", "max_workers": 3},
    "auto": {"executor": "auto", "max_workers": 2},
}

GRAPHS: dict[str, Shape] = {name: shape(name) for name in SHAPES}
# Without an edge a task is no root of a sequential run beside others that have some.
GRAPHS.update({f"pattern {name}": of_pattern(name, 6, 5) for name in PATTERNS})


def check(graph: Shape, way: str, context: Any) -> None:
    """Compare a run with what its graph says."""
    values = expected(graph)
    assert {name: context.get_result(name) for name in graph} == values
    completed = [name for name in context.completed_tasks if name != "start"]
    assert sorted(completed) == sorted(graph)  # each once
    orders = [completed]
    if way == "results":
        assert context.get_channel().get("runs") == len(graph)
        orders.append(context.get_channel().get("order"))
    for order in orders:
        place = {name: number for number, name in enumerate(order)}
        assert len(place) == len(order) == len(graph)
        assert all(place[other] < place[name] for name, before in graph.items() for other in before)


@pytest.mark.parametrize("way", ["parameters", "results"])
@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", GRAPHS)
def test_each_task_once_behind_its_predecessors_with_their_values(
    name: str, executor: str, schedule: str, way: str
) -> None:
    check(GRAPHS[name], way, run(GRAPHS[name], way, schedule, **EXECUTORS[executor]))


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_graphs_of_a_usual_size(name: str) -> None:
    """Each task stands behind its predecessors, and there are 30 to 300."""
    graph = shape(name)
    seen: set[str] = set()
    for each, before in graph.items():
        assert seen.issuperset(before)
        assert len(set(before)) == len(before)
        seen.add(each)
    assert 30 <= len(graph) <= 300
