"""Rules of the contract that the engine does not keep yet: programs that meet one are left out of the random suite.

Each has a strict xfail in `test_found.py`, which says when its entry here can go. Notes are taken by the model where
the rule is used (`state`).
"""

from __future__ import annotations

PLACEMENTS = ("inline", "thread", "process(1)", "process(2)", "process(3)", "auto")

#: What is noted -> in which placements it is wrong, and how.
WAITING: dict[str, tuple[tuple[str, ...], str]] = {
    "a value of the task before that was replaced": (PLACEMENTS, "its last result is taken"),
}


def waits(notes: frozenset[str], placement: str) -> bool:
    """Whether a program with such notes is left out in a placement."""
    return any(placement in WAITING[note][0] for note in notes)
