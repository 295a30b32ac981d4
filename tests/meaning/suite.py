"""How the suite runs: how many programs, from which seed, how two outcomes are compared, what a failure prints."""

from __future__ import annotations

import os
import random
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from random import Random
from typing import Any

from . import killed
from .generating import generate
from .model import predict
from .program import Group, Outcome, Program
from .running import EXECUTORS, run
from .shrink import minimize
from .state import Unsuitable
from .waiting import waits

PROGRAMS = int(os.environ.get("GRAFLOW_FAST_PROGRAMS", "10000"))
#: Which programs these are. A gate that lets changes in asks the same of each: what fails there is what was changed.
#: `make meaning` asks something new each time (GRAFLOW_FAST_SEED=random), and what it finds goes to test_found.py.
USUAL = "3088040376"
SEED = int(os.environ.get("GRAFLOW_FAST_SEED", USUAL).replace("random", str(random.SystemRandom().randrange(2**32))))
SHARD = min(500, PROGRAMS)
SHARDS = max(1, -(-PROGRAMS // SHARD))
PLACEMENTS = tuple(EXECUTORS)
#: Whether each random program runs in every placement: `make meaning` says so.
EVERYWHERE = bool(os.environ.get("GRAFLOW_FAST_EVERYWHERE"))
#: A run that is durable, killed and resumed: of so many programs one, since each takes several processes.
KILLED = "killed and resumed"
ONE_KILLED_OF = 8 if EVERYWHERE else 80

compared: Counter[str] = Counter()  # placement -> programs compared with the model, for the summary

Check = Callable[[Program], "str | None"]  # what is wrong with how a program runs, if anything


class Differs(AssertionError):
    """A program that does not mean what it should, as small as it could be made."""

    def __init__(self, program: Program, why: str, shard: int) -> None:
        super().__init__(f"{why}\n\nGRAFLOW_FAST_SEED={SEED}, shard {shard}, as a program:\n\n{program}")
        self.program, self.why = program, why


def explore(
    check: Check,
    shard: int,
    examples: int = SHARD,
    most: int = 9,
    first_seed: int | None = None,
    thorough: Check | None = None,
) -> None:
    """Give `check` this shard's programs; the first it objects to is made small and raised as `Differs`.

    What is left out to make it small is decided by `thorough`, if given. With a `first_seed` of the caller's own the
    programs are always the same, and nothing is made small.
    """
    for number in range(examples):
        program = generate(Random(f"{SEED if first_seed is None else first_seed} {shard} {number}"), most)
        try:
            why = check(program)
        except Unsuitable:
            continue
        if why and first_seed is not None:
            raise Differs(program, why, shard)
        if why:
            thorough = thorough or check
            small = minimize(program, lambda program: bool(complaint(thorough, program)))
            raise Differs(small, complaint(thorough, small) or f"now and then (not when repeated): {why}", shard)


def complaint(check: Check, program: Program) -> str | None:
    """What `check` says of a program made by shrinking, which may also be no program at all."""
    try:
        return check(program)
    except (Unsuitable, ValueError, KeyError):
        return None


def agree(program: Program) -> str | None:
    """Every placement gives what the model predicts."""
    return agree_in(program, placements_of(program)) or agree_killed(program)


def agree_in_two(program: Program) -> str | None:
    """Inline and one other placement, which the program decides, give what the model predicts: what CI has time for."""
    others, number = PLACEMENTS[1:], zlib.crc32(repr(program).encode())
    why = agree_in(program, (PLACEMENTS[0], others[number % len(others)]))
    return why or (None if number % ONE_KILLED_OF else agree_killed(program))


def agree_killed(program: Program) -> str | None:
    """A run that is killed and resumed gives what the model predicts, and no body runs again that was done."""
    expected = predict(program)
    if waits(expected.notes, "inline"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        predict(killed.noting(program, Path(folder)))
        bodies = killed.noted(Path(folder))
    seen = killed.run_killed(program)
    compared[KILLED] += 1
    who = f"{seen.executor}, killed at {', '.join(seen.kills) or 'no point'}"
    why = differs(program, unsaid(expected), unsaid(seen.outcome), who)
    if why is None and seen.one_at_a_time:
        extra, missing = seen.bodies - bodies, bodies - seen.bodies
        if missing or sum(extra.values()) > len(seen.kills):
            why = f"{who}: ran again {dict(extra)}, did not run {dict(missing)}"
        elif not is_end_of(seen.outcome.printed, expected.printed, program):
            why = f"{who}: the last process printed\n{seen.outcome.printed}of\n{expected.printed}"
    return why


def unsaid(outcome: Outcome) -> Outcome:
    """The outcome without what was said or traced: each of the processes has a part of it."""
    return replace(outcome, printed="", logged=(), warned=(), traced=())


def is_end_of(printed: str, whole: str, program: Program) -> bool:
    """Whether the last process can have printed this: nothing that one before it has shown."""
    if any(isinstance(node, Group) for node in program.nodes) or "'group'" in repr(program):
        return not Counter(printed.splitlines()) - Counter(whole.splitlines())
    return whole.endswith(printed)


def agree_in(program: Program, placements: tuple[str, ...]) -> str | None:
    """These placements give what the model predicts."""
    expected = predict(program)
    for placement in placements:
        if waits(expected.notes, placement):
            continue  # see `test_found`
        why = differs(program, expected, run(program, placement), placement)
        if why:
            return why
        compared[placement] += 1
    return None


def placements_of(program: Program) -> tuple[str, ...]:
    """Each placement, but of the numbers of worker processes one that the program decides: they cost most."""
    pools = [placement for placement in PLACEMENTS if placement.startswith("process")]
    chosen = pools[zlib.crc32(repr(program).encode()) % len(pools)]
    return tuple(placement for placement in PLACEMENTS if placement == chosen or placement not in pools)


def differs(program: Program, expected: Outcome, seen: Outcome, placement: str) -> str | None:
    """How a run differs from what the model predicts, as far as the contract says that it must not."""
    is_over = not expected.error and program.max_steps is None  # else it may keep what was still to be read
    if program.option("keep_results") == "none" and is_over and any("__result__" in key for key, _ in seen.channel):
        return f"{placement} keeps results: {seen.channel}"
    return difference(loosened(program, expected, placement), loosened(program, seen, placement), placement)


def loosened(program: Program, outcome: Outcome, placement: str) -> Outcome:
    """The outcome without what the contract leaves open for such a program in such a placement."""
    stops = program.uses("terminate") or program.uses("cancel")
    if program.option("keep_results"):
        kept = tuple(pair for pair in outcome.channel if "__result__" not in pair[0])
        made = any(program.uses(step) for step in ("next", "share", "iterate"))
        outcome = replace(outcome, channel=kept, completed=() if made else outcome.completed)
    if program.option("output") == "live" or says_out_of_order(program, placement):
        outcome = replace(outcome, **{name: "" if stops else in_any_order(getattr(outcome, name)) for name in SAID})
    told = () if stops or program.max_steps is not None else outcome.traced
    outcome = replace(outcome, traced=tuple(sorted(told)))
    if program.option("schedule") != "parallel":
        return outcome
    if outcome.error:
        return Outcome(error=("some error", "", ""))  # of several tasks that fail, whichever is first
    return replace(
        outcome,
        result=outcome.result if len(ends(program)) == 1 else None,
        channel=tuple(sorted(outcome.channel)),
        completed=tuple(sorted(outcome.completed)),
        **{name: in_any_order(getattr(outcome, name)) for name in SAID},
    )


SAID = ("printed", "logged", "warned")


def in_any_order(said: Any) -> Any:
    """What was said, sorted."""
    return "\n".join(sorted(said.split("\n"))) if isinstance(said, str) else tuple(sorted(said))


def says_out_of_order(program: Program, placement: str) -> bool:
    """Whether bodies of this process write below `sys.stdout` while others run or wait to be tried again.

    Nobody can tell when, nor keep it until it is their turn.
    """
    below = "'write'" in repr(program) or "'shell'" in repr(program)
    in_order = placement not in ("thread", "auto") and "'handler'" not in repr(program)
    return below and not (in_order and not any(task.delay for task in program.tasks()))


def ends(program: Program) -> list[str]:
    """The nodes that nothing follows."""
    sources = {source for source, _ in program.edges}
    members = {member for node in program.nodes if isinstance(node, Group) for member in node.members}
    return [node.id for node in program.nodes if node.id not in sources | members]


def difference(expected: Outcome, seen: Outcome, who: str) -> str | None:
    """The fields in which two outcomes differ, one by one."""
    if expected == seen:
        return None
    names = [f.name for f in fields(Outcome) if f.compare and getattr(expected, f.name) != getattr(seen, f.name)]
    told = [f"  {n}:\n    model      {getattr(expected, n)!r}\n    {who:10} {getattr(seen, n)!r}" for n in names]
    return "\n".join([f"{who} differs from the model in", *told])
