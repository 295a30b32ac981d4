"""Programs that once told two placements apart, kept as they were shrunk."""

from __future__ import annotations

import pytest

from .model import predict
from .program import Group, Program, run
from .suite import PLACEMENTS, difference
from .test_model import EVER, PAIR, T, extra, flow, goto

FOUND: dict[str, Program] = {
    "a list that is set and then appended to in a branch is replayed once": flow(
        "g>z", PAIR, T("a", ("set", "l0", (7,)), ("prepend", "l0", 9), ("append", "l0", 8))
    ),
    "what abandoned members printed is not shown": flow(
        "g; a>c", PAIR, T("b", ("print", 1)), T("c", ("terminate", "stop", 0, EVER)), start="g"
    ),
    "what the members up to a cancel printed is shown": flow(
        "g; a>c", PAIR, T("c", ("print", 1)), T("b", ("print", 2), ("cancel", "no", 0, EVER)), start="g"
    ),
    "output keeps member order while a retry waits": flow(
        "g", PAIR, T("a", ("print", 1), ("fail", "x", 0, 1), max_retries=1, delay=0.01), T("b", ("print", 2)), start="g"
    ),
    "retries count per activation, not per name": flow(
        "a>b",
        T("a", extra("b", 0, 1)),
        T("b", ("print", 1), ("fail", "x", 0, EVER), max_retries=2),
    ),
    "a key deleted and set again in a branch is the last one": flow(
        "s>g", PAIR, T("s", ("set", "k0", 1), ("set", "k1", 1)), T("a", ("delete", "k0"), ("set", "k0", 2), ("keys",))
    ),
    "the steps of a failed branch do not count": flow(
        "g>z; a>f", Group("g", ("a", "b"), "best_effort"), T("f", ("fail", "x", 0, EVER))
    ),
    "a cycle limit met in a worker has no cause": flow("a", T("a", ("iterate", None, 0, 9), max_cycles=1)),
    "what a nested member said before it cancelled is shown, though an earlier member was still under way": flow(
        "g; a>c>e",
        Group("h", ("b", "d")),
        Group("g", ("a", "h")),
        T("e", ("print", 1)),
        T("d", ("print", 2), ("cancel", "no", 0, EVER)),
        start="g",
    ),
    "cancel after a goto that left its branch": flow(
        "g",
        Group("h", ("d",)),
        Group("g", ("h", "b")),
        T("d", goto("g", 0, 1)),
        T("b", ("cancel", "no", 0, 1)),
        start="g",
    ),
}


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("name", FOUND)
def test_found_programs_agree(name: str, placement: str) -> None:
    """Each placement gives what the model predicts."""
    why = difference(predict(FOUND[name]), run(FOUND[name], placement), placement)
    assert why is None, f"{why}\n\n{FOUND[name]}"
