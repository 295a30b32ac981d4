"""The Rust scheduler alone against the model: same order in every branch, same joins, same end, whatever reports when."""

from __future__ import annotations

import zlib

import pytest

from .driven import Driven
from .model import Model
from .program import Program
from .suite import difference, explore

pytest.importorskip("graflow_fast._core", reason="needs the built extension")


def outcomes_agree(program: Program, seed: int | None) -> str | None:
    """Run the scheduler with one order of reports and compare with the model; what was printed before a cancel is open."""
    driven = Driven(program, seed)
    model = Model(program)
    expected, seen = model.run(), driven.run()
    if expected.error and "Cancel" in expected.error[0]:
        expected, seen = (replace_printed(outcome) for outcome in (expected, seen))
    return difference(expected, seen, f"scheduler ({seed})")


def replace_printed(outcome):  # type: ignore[no-untyped-def]
    """The outcome without what was printed."""
    from dataclasses import replace

    return replace(outcome, printed="")


def one_at_a_time(program: Program) -> str | None:
    """With one attempt in flight the order of starts is that of the sequential run."""
    wrong = outcomes_agree(program, None)
    if wrong:
        return wrong
    return None


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
