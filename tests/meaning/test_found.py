"""Programs that once told two placements apart, kept as they were shrunk."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from .model import predict
from .program import Group, Map, Outcome, Program, Task
from .running import run
from .suite import PLACEMENTS, differs
from .test_model import EVER, PAIR, T, extra, flow, goto

ITEM = (("item", True, None, False, None),)
OPEN = (("p", True, None, False, None),)
MAPPING = ("dict", (("p", 1),))
OPEN_TWO = (("p", True, None, False, "dict"), ("q", True, None, False, None))
DELAYED = T("a", ("print", 1), ("fail", "x", 0, 1), max_retries=1, delay=0.01)
SAYS = Map("n", Task("of_n", (("print", 2),), form="plain", parameters=ITEM), (1,))

LOCKING = [f"l{number}" for number in range(30)]
ADDS = ("next", ("task", T("d", ("print", 1)).plain()), False, 0, 1)
IN_PROCESS = T("a", ("print", 1), options=(("handler", "process"),))
FAILS = Map(
    "m", Task("of_m", (("fail", "x", 0, EVER),), max_retries=1, delay=0.02, form="plain", parameters=ITEM), (1,)
)

FOUND: dict[str, Program] = {
    "attempts of an item are shown in their order, though the first waited for an earlier item": flow(
        "m",
        Map(
            "m",
            Task(
                "of_m",
                (("length", "l1", 8), ("fail", "x", 0, 1)),
                max_retries=1,
                delay=0.001,
                form="both",
                parameters=ITEM,
            ),
            (1, 2),
        ),
        start="m",
    ),
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
    "a lone open parameter without annotation gets the whole mapping, whatever names it holds": flow(
        "a>b", T("a", returns=MAPPING), Task("b", form="plain", parameters=OPEN, returns=("argument", "p"))
    ),
    "several open parameters get a mapping's items by name, whatever their annotations": flow(
        "a>b",
        T("a", returns=("dict", (("p", ("dict", ())), ("q", 1)))),
        Task("b", form="plain", parameters=OPEN_TWO, returns=("argument", "p")),
    ),
    "what is written below sys.stdout comes behind what was printed before": flow(
        "a", T("a", ("print", 1), ("say", "write", 2), ("print", 3))
    ),
    "what a process prints that a body starts comes behind what was printed before": flow(
        "a", T("a", ("print", 1), ("say", "shell", 2), ("print", 3))
    ),
    "threads may use live operations while a process runs a sibling": flow(
        "g", Group("g", ("a", *LOCKING)), IN_PROCESS, *[T(n, ("add", f"+{n}", 1)) for n in LOCKING], start="g"
    ),
    "a key that is set in a branch after its time was over is there after the join": flow(
        "g>z", PAIR, T("a", ("set", "k0", 1, -1), ("set", "k0", 2)), T("z", ("read", "k0"), ("keys",))
    ),
    "a key that is set again after its time was over has no limit any more": flow(
        "a>b", T("a", ("set", "k0", 1, -1), ("set", "k0", 2)), T("b", ("read", "k0"), ("set", "k1", 1, -1), ("keys",))
    ),
    "what a member sets after an earlier one of its branch has set it for a time that is over is there": flow(
        "g>z; a>f", PAIR, T("a", ("set", "k0", 1, -1)), T("f", ("set", "k0", 2), ("read", "k0")), T("z", ("read", "k0"))
    ),
    "a key whose time is over is not there to be deleted": flow(
        "a>b", T("a", ("set", "k0", 1, -1), ("append", "l0", 1, -1), ("delete", "l0")), T("b", ("delete", "k0"))
    ),
    "a list that a member lengthens for a time that is over is gone": flow(
        "s>g>z",
        PAIR,
        T("s", ("set", "l0", (7,))),
        T("a", ("append", "l0", 1, -1), ("prepend", "l0", 2)),
        T("z", ("read", "l0")),
    ),
    "an argument is no other name for what the channel holds": flow(
        "a>b",
        T("a", ("set", "l0", (7,))),
        Task(
            "b", (("prepend", "l0", 3),), ("argument", "l0"), form="both", parameters=(("l0", True, None, False, None),)
        ),
    ),
    "what members warn of in threads is shown in member order": flow(
        "g; a>c>d>e", PAIR, T("e", ("say", "warn", 1)), T("b", ("say", "warn", 2)), start="g"
    ),
    "what members warn of is shown in member order wherever they run": flow(
        "g; a>c>d>e",
        PAIR,
        T("e", ("say", "warn", 1), options=(("handler", "process"),)),
        T("b", ("say", "warn", 2), options=(("handler", "thread"),)),
        start="g",
    ),
    "keep_results='none' keeps no results of groups within groups, nor of what follows a member": replace(
        flow("g; a>c", Group("h", ("a",)), Group("g", ("h",)), T("a"), T("c", ADDS), start="g"),
        options=(("keep_results", "none"),),
    ),
    "a parameter of a map's items stays open behind a group, which is no single task": flow(
        "g>n", Group("g", ("a",)), Map("n", Task("of_n", form="plain", parameters=(*ITEM, *OPEN)), (1,)), T("a")
    ),
    "a map prints behind an earlier member that runs elsewhere": flow(
        "g", Group("g", ("a", "n")), IN_PROCESS, SAYS, start="g"
    ),
    "members print in member order while an item of a map waits for its retry": flow(
        "g", Group("g", ("m", "a", "n"), "best_effort"), T("a", ("print", 1)), FAILS, SAYS, start="g"
    ),
    "items that are tried again at once come before the members behind their map": flow(
        "g",
        Group("g", ("m", "a"), "best_effort"),
        replace(FAILS, task=replace(FAILS.task, delay=0.0), items=(1, 2)),
        T("a", ("print", 1), ("say", "write", 2)),
        start="g",
    ),
    "a member whose retry waits and a map beside it end": flow("g", Group("g", ("a", "n")), DELAYED, SAYS, start="g"),
    "members with maps print in member order": flow(
        "g", Group("h", ("a", "b")), Group("g", ("h", "n")), T("b", ("print", 1)), SAYS, start="g"
    ),
    "an instance of a class of the script with slots is a result like any other": flow(
        "a", T("a", returns=("slotted", 3))
    ),
    "a result is kept while a second round of what follows its task is still to run": replace(
        flow(
            "a>g",
            T("a", ("next", "a", False, 0, 1)),
            Task("b", form="plain", parameters=(("q", True, None, False, None),)),
            Group("g", ("b",)),
        ),
        options=(("keep_results", "needed"),),
    ),
    "a run that a task ends well keeps no result for those that will not run": replace(
        flow("a", T("a", ("next", "b", False, 0, 1), ("next", "b", False, 0, 1)), T("b", ("terminate", "stop", 0, 1))),
        options=(("keep_results", "none"),),
    ),
    "what a subprocess of a member prints behind one that runs elsewhere": flow(
        "g", Group("g", ("a", "b")), IN_PROCESS, T("b", ("say", "shell", 2)), start="g"
    ),
}


@pytest.mark.parametrize("placement", PLACEMENTS)
@pytest.mark.parametrize("name", FOUND)
def test_found_programs_agree(name: str, placement: str) -> None:
    """Each placement gives what the model predicts."""
    why = differs(FOUND[name], predict(FOUND[name]), run(FOUND[name], placement), placement)
    assert why is None, f"{why}\n\n{FOUND[name]}"


#: What the engine gets wrong still: the program, and in which placements. An entry goes with that in `waiting.py`.
WRONG: dict[str, tuple[Program, tuple[str, ...]]] = {
    "each start of a task gets what the completion that it follows returned": (
        flow(
            "a>b>c",
            T("a", ("next", "b", False, 0, 1), ("next", "b", False, 0, 1)),
            T("b", ("count", "c0"), returns=("read", "c0")),
            Task("c", form="plain", parameters=OPEN),
        ),
        PLACEMENTS,
    ),
}


EVERY = [(name, place) for name, (_, places) in WRONG.items() for place in places]


@pytest.mark.xfail(reason="the engine does not keep the contract here yet", strict=True, raises=AssertionError)
@pytest.mark.parametrize(("name", "placement"), EVERY)
def test_what_the_engine_gets_wrong(name: str, placement: str) -> None:
    """Each is what the contract says, and what a placement does not do yet."""
    program = WRONG[name][0]
    try:
        why = differs(program, predict(program), run_within(20, program, placement), placement)
    except Hangs:
        why = f"{placement} hangs"
    assert why is None, f"{why}\n\n{program}"


class Hangs(BaseException):
    """It has not ended for long."""


def run_within(seconds: int, program: Program, placement: str) -> Outcome:
    """Run a program that may hang."""

    def ring(*_: object) -> None:
        raise Hangs

    usual = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        return run(program, placement)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, usual)
