"""The Rust scheduler alone against the model: same order, same joins, same end, whatever reports when."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest

from .driven import Driven
from .model import Model
from .program import Program
from .suite import difference, explore

pytest.importorskip("graflow_fast._core", reason="needs the built extension")


def outcomes_agree(program: Program, seed: int | None) -> str | None:
    """Compare one order of reports with the model; what was printed before a cancel is the driver's business."""
    expected, seen = Model(program).run(), Driven(program, seed).run()
    if expected.error and expected.error[0] == "GraflowWorkflowCanceledError":
        expected, seen = replace(expected, printed=""), replace(seen, printed="")
    return difference(expected, seen, f"scheduler ({seed})")


def one_at_a_time(program: Program) -> str | None:
    """With one attempt in flight everything is as in the sequential run, the order of starts included."""
    model, driven = Model(program), Driven(program)
    wrong = difference(model.run(), driven.run(), "scheduler")
    starts = f"starts differ:\n    model     {model.started}\n    scheduler {driven.started}"
    return wrong or (None if model.started == driven.started else starts)


def in_any_order(program: Program) -> str | None:
    """With many in flight and reports in a random order nothing a user sees changes."""
    base = zlib.crc32(repr(program).encode())
    return next((wrong for i in range(3) if (wrong := outcomes_agree(program, base + i))), None)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(8))
def test_one_attempt_at_a_time_is_the_sequential_run(shard: int) -> None:
    """Reported at once, random programs run in exactly the model's order."""
    explore(one_at_a_time, 1000 + shard)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(8))
def test_reports_in_any_order_mean_the_same(shard: int) -> None:
    """Reported in random orders, random programs end as the model says."""
    explore(in_any_order, 2000 + shard)
