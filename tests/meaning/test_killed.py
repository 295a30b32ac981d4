"""Programs that once meant something else when their run was killed and resumed, and what the suite would notice."""

from __future__ import annotations

import pytest

from .killed import Point, run_killed
from .model import predict
from .program import Map, Program
from .suite import differs, unsaid
from .test_model import PAIR, T, flow

A, B = (("task", T(name, returns=1).plain()) for name in "ab")
CHAIN = ("next", ("chain", (A, B)), False, 0, 1)

FOUND: dict[str, tuple[Program, str, tuple[Point, ...]]] = {
    "a chain that a body in a worker asked for is a chain in the next process": (
        flow("s", T("s", CHAIN)),
        "process(1)",
        (("entry", 3),),
    ),
    "a chain that a member asked for is a chain in the next process": (
        flow("g; a>c", PAIR, T("a", CHAIN), T("b"), T("c"), start="g"),
        "inline",
        (("entry", 3),),
    ),
    "a key that a body looked at before it was live is looked at again": (
        flow("g", PAIR, T("a", ("keys",), ("add", "+0", 2)), T("b"), start="g"),
        "inline",
        (("entry", 5), ("entry", 0)),
    ),
    "items that were done are done, what they wrote and asked for included": (
        flow("m>c", Map("m", T("of_m", ("append", "l0", 1), CHAIN), items=(1, 2, 3))),
        "inline",
        (("entry", 5), ("entry", 1), ("body", 0)),
    ),
    "items that failed for good have failed in the next process": (
        flow("m>c", Map("m", T("of_m", ("add", "+0", 1), ("fail", "x", 0, 99), max_retries=1), items=(1, 2))),
        "process(1)",
        (("entry", 4), ("entry", 4)),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_found_programs_survive(name: str) -> None:
    """The outcome is the model's, after at least one kill."""
    program, executor, points = FOUND[name]
    seen = run_killed(program, executor, points)
    assert seen.kills
    assert differs(program, unsaid(predict(program)), unsaid(seen.outcome), executor) is None
