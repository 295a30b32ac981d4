"""The Rust scheduler alone against the model: same order, same joins, same end, whatever reports when."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest

from .driven import Driven
from .model import Model
from .program import Program, Task
from .suite import difference, explore
from .waiting import waits

pytest.importorskip("graflow_fast._core", reason="needs the built extension")


def outcomes_agree(model: Model, driven: Driven, who: str) -> str | None:
    """Compare two runs; what was said before a cancel is the driver's business."""
    expected, seen = model.run(), driven.run()
    if waits(expected.notes, "inline"):
        return None
    if expected.error and expected.error[0] == "GraflowWorkflowCanceledError":
        expected, seen = (replace(each, printed="", logged=(), warned=()) for each in (expected, seen))
    return difference(expected, seen, who)


def one_at_a_time(program: Program) -> str | None:
    """With one attempt in flight everything is as in the sequential run, the order of starts included.

    Unless a retry waits for its delay: then other branches go on, as they should.
    """
    if program.option("schedule") == "parallel":
        return None
    program = replace(program, traced=False)  # tracers are the engine's
    model, driven = Model(program), Driven(program)
    wrong = outcomes_agree(model, driven, "scheduler")
    starts = f"starts differ:\n    model     {model.started}\n    scheduler {driven.started}"
    waits = any(isinstance(node, Task) and node.delay for node in program.nodes)
    return wrong or (None if waits or model.started == driven.started else starts)


def in_any_order(program: Program) -> str | None:
    """With many in flight and reports in a random order nothing a user sees changes."""
    if program.option("schedule") == "parallel":
        return None
    program = replace(program, traced=False)
    base = zlib.crc32(repr(program).encode())
    for i in range(3):
        wrong = outcomes_agree(Model(program), Driven(program, base + i), f"order {base + i}")
        if wrong:
            return wrong
    return None


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(8))
def test_one_attempt_at_a_time_is_the_sequential_run(shard: int) -> None:
    """Reported at once, random programs run in exactly the model's order."""
    explore(one_at_a_time, 1000 + shard, most=9 + 2 * (shard % 4))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(8))
def test_reports_in_any_order_mean_the_same(shard: int) -> None:
    """Reported in random orders, random programs end as the model says."""
    explore(in_any_order, 2000 + shard, most=9 + 2 * (shard % 4))
