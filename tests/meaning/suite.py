"""How the suite runs: how many programs, from which seed, how two outcomes are compared, what a failure prints."""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import fields

from hypothesis import HealthCheck, Phase, given, reject, seed, settings
from hypothesis.errors import Flaky

from .model import predict
from .program import Outcome, Program, run
from .shrink import minimize
from .state import Unsuitable
from .strategies import programs

PROGRAMS = int(os.environ.get("GRAFLOW_FAST_PROGRAMS", "10000"))
SEED = int(os.environ.get("GRAFLOW_FAST_SEED") or random.SystemRandom().randrange(2**32))
SHARD = min(500, PROGRAMS)
SHARDS = max(1, -(-PROGRAMS // SHARD))
PLACEMENTS = ("inline", "thread", "process(1)", "process(2)", "auto")

compared: Counter[str] = Counter()  # placement -> programs compared with the model, for the summary

Check = Callable[[Program], "str | None"]  # what is wrong with how a program runs, if anything


class Found(Exception):
    """Stops the search."""


class Differs(AssertionError):
    """A program that does not mean what it should, as small as it could be made."""

    def __init__(self, program: Program, why: str, shard: int) -> None:
        super().__init__(f"{why}\n\nGRAFLOW_FAST_SEED={SEED}, shard {shard}, as a program:\n\n{program}")
        self.program, self.why = program, why


def explore(check: Check, shard: int, examples: int = SHARD, most: int = 9, first_seed: int | None = None) -> None:
    """Give `check` this shard's programs; the first it objects to is made small and raised as `Differs`.

    With a `first_seed` of the caller's own the programs are always the same, and nothing is made small.
    """
    wrong: list[tuple[Program, str]] = []

    @seed((SEED if first_seed is None else first_seed) + shard)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(programs(most))
    def explored(program: Program) -> None:
        try:
            why = check(program)
            if why:
                wrong.append((program, why))
                raise Found
        except Unsuitable:
            reject()

    with contextlib.suppress(Found, Flaky):
        explored()
    if wrong:
        program, why = wrong[0]
        if first_seed is not None:
            raise Differs(program, why, shard)
        small = minimize(program, lambda program: bool(complaint(check, program)))
        raise Differs(small, complaint(check, small) or f"now and then (not when repeated): {why}", shard)


def complaint(check: Check, program: Program) -> str | None:
    """What `check` says of a program made by shrinking, which may also be no program at all."""
    try:
        return check(program)
    except (Unsuitable, ValueError, KeyError):
        return None


def agree(program: Program) -> str | None:
    """Every placement gives what the model predicts."""
    expected = predict(program)
    for placement in PLACEMENTS:
        why = difference(expected, run(program, placement), placement)
        if why:
            return why
        compared[placement] += 1
    return None


def difference(expected: Outcome, seen: Outcome, who: str) -> str | None:
    """The fields in which two outcomes differ, one by one."""
    if expected == seen:
        return None
    names = [f.name for f in fields(Outcome) if getattr(expected, f.name) != getattr(seen, f.name)]
    told = [f"  {n}:\n    model      {getattr(expected, n)!r}\n    {who:10} {getattr(seen, n)!r}" for n in names]
    return "\n".join([f"{who} differs from the model in", *told])
