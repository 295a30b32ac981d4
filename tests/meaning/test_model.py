"""The reference model against expectations written by hand from the contract: small programs, exact answers.

`T` makes a task that prints nothing; `completed` names the order. What the contract leaves open is in the docstrings.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from .model import Model, predict
from .program import Group, Map, Node, Outcome, Program, Task, mask
from .state import TooLong

EVER = 99


def T(name: str, *steps: tuple[Any, ...], **options: Any) -> Task:
    """A task that returns its own name."""
    return Task(name, steps, **{"returns": name, **options})


def flow(text: str, *nodes: Node, start: str | None = None, max_steps: int | None = None) -> Program:
    """A program from `a>b>c; a>d` and the nodes that are more than plain tasks."""
    paths = [path.split(">") for path in text.replace(" ", "").split(";") if path]
    edges = [edge for path in paths for edge in pairwise(path)]
    made = {node.id: node for node in nodes}
    members = [member for node in nodes if isinstance(node, Group) for member in node.members]
    named = dict.fromkeys([name for path in paths for name in path] + members)
    maps = {name: node for name, node in made.items() if isinstance(node, Map)}
    plain = {name: T(name) for name in named if name not in made}
    groups = {name: node for name, node in made.items() if isinstance(node, Group)}
    tasks = {**plain, **{name: node for name, node in made.items() if isinstance(node, Task)}}
    return Program((*tasks.values(), *maps.values(), *groups.values()), tuple(edges), start or paths[0][0], max_steps)


def order(program: Program) -> str:
    """The names in order of completion, members included."""
    model = Model(program)
    model.run()
    return mask(" ".join(model.finished))


def ran(program: Program) -> str:
    """The names in order of start, repeats and retries included."""
    model = Model(program)
    model.run()
    return " ".join(model.started)


def user(outcome: Outcome) -> dict[str, str]:
    """The channel without results and counters."""
    return {key: value for key, value in outcome.channel if "." not in key}


def error_of(program: Program) -> tuple[str, str, str]:
    """The error that the program ends with."""
    error = predict(program).error
    assert error is not None
    return error


def goto(target: Any, first: int = 0, last: int = EVER) -> tuple[Any, ...]:
    """A goto that acts on some of its task's runs."""
    return ("next", target, True, first, last)


def extra(target: Any, first: int = 0, last: int = EVER) -> tuple[Any, ...]:
    """A `next_task` without goto."""
    return ("next", target, False, first, last)


def leaf(label: str, *steps: tuple[Any, ...]) -> tuple[Any, ...]:
    """A fragment of one task."""
    return ("task", T(label, *steps).plain())


PAIR = Group("g", ("a", "b"))
BAD = T("f", ("fail", "x", 0, EVER))

ORDERS: dict[str, tuple[Program, str]] = {
    "a chain runs in order": (flow("a>b>c"), "a b c"),
    "fan-out runs in edge order, breadth first": (flow("a>b>d; a>c>e"), "a b c d e"),
    "a diamond's join runs once": (flow("a>b>d; a>c>d"), "a b c d"),
    "a join waits for the longer side": (flow("a>b>e; a>c>d>e"), "a b c d e"),
    "a join waits through another join": (flow("a>b>d; a>c>d; a>e; d>e"), "a b c d e"),
    "an unreachable predecessor is not waited for": (flow("a>b>c; x>c", start="a"), "a b c"),
    "goto skips the successors": (flow("a>b>c", T("a", goto("c"))), "a c"),
    "a skipped predecessor is not waited for": (flow("a>b>d; a>c>d; b>e", T("b", goto("e"))), "a b c e d"),
    "a join all of whose predecessors are skipped is skipped": (
        flow("s>a>b>d; a>c>d>e; s>z", T("a", goto("z"))),
        "s a z z",
    ),
    "next_task runs before the successors": (flow("a>b", T("a", extra(leaf("x")))), "a a.0.x b"),
    "next_task of a known node goes on normally": (flow("a>b>c", T("a", extra("c", 0, 1))), "a c b c"),
    "goto to a new task": (flow("a>b", T("a", goto(leaf("x")))), "a a.0.x"),
    "directives keep their call order": (
        flow("a>b", T("a", extra(leaf("x")), extra(leaf("y")))),
        "a a.0.x a.0.y b",
    ),
    "successors wait until a task stops iterating": (
        flow("a>b", T("a", ("iterate", None, 0, 2))),
        "a a_cycle_1_* a_cycle_2_* b",
    ),
    "a join waits for an iterating predecessor": (
        flow("s>a>j; s>b>c>j", T("a", ("iterate", None, 0, 1))),
        "s a b a_cycle_1_* c j",
    ),
    "members run in order, then the group, then its successors": (flow("s>g>z", PAIR), "s a b g z"),
    "a branch goes on with its member's chain": (flow("g>z; a>c; b>d", PAIR), "a c b d g z"),
    "a diamond inside a branch": (flow("g>z; a>c>e; a>d>e", PAIR), "a c d e b g z"),
    "what a member enqueues runs in its branch": (
        flow("g>z", PAIR, T("a", extra(leaf("x")))),
        "a a.0.x b g z",
    ),
    "groups nest": (flow("g>z; a>h>c", PAIR, Group("h", ("d", "e"))), "a d e h c b g z"),
    "a fragment with a group": (
        flow("a>z", T("a", extra(("chain", (leaf("x"), ("group", "p", (leaf("y"), leaf("w")), "strict")))))),
        "a a.0.x z a.0.y a.0.w a.0.p",
    ),
    "goto within a branch stays there": (flow("g>z; a>c>d", PAIR, T("a", goto("d"))), "a d b g z"),
    "goto out of a branch is carried to the join": (flow("g>z; q>r", PAIR, T("a", goto("q"))), "a b g q r"),
    "gotos of several members, in member order": (
        flow("g>z; q>r; p>r", PAIR, T("a", goto("q")), T("b", goto("p"))),
        "a b g q p r",
    ),
    "goto out of a nested branch climbs until it is known": (
        flow("g>z; a>h>c>d", PAIR, Group("h", ("e", "f")), T("e", goto("d"))),
        "a e f h d b g z",
    ),
    "a failed branch's gotos are dropped": (
        flow("g>z; q>r", Group("g", ("a", "b"), "best_effort"), T("a", goto("q"), extra("f")), BAD),
        "a b g z",
    ),
    "terminate in a chain": (flow("a>b>c", T("b", ("terminate", "stop", 0, EVER))), "a b"),
    "terminate in a branch: earlier members count, later ones are abandoned": (
        flow("g>z", Group("g", ("a", "b", "c")), T("b", ("terminate", "stop", 0, EVER))),
        "a b g",
    ),
    "terminate in a nested branch ends it all": (
        flow("g>z; b>h>c", PAIR, Group("h", ("d", "e")), T("d", ("terminate", "stop", 0, EVER))),
        "a b d h g",
    ),
    "terminate beats goto": (flow("a>b>c", T("a", goto("c"), ("terminate", "stop", 0, EVER))), "a"),
    "max_steps ends the run": (flow("a>b>c>d", max_steps=2), "a b"),
    "best effort drops the failed member only": (
        flow("g>z", Group("g", ("a", "b"), "best_effort"), T("a", ("fail", "x", 0, EVER))),
        "b g z",
    ),
    "at least one is enough": (
        flow("g>z", Group("g", ("a", "b"), ("at_least", 1)), T("b", ("fail", "x", 0, EVER))),
        "a g z",
    ),
    "only the critical member matters": (
        flow("g>z", Group("g", ("a", "b"), ("critical", ("a",))), T("b", ("fail", "x", 0, EVER))),
        "a g z",
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_order(name: str) -> None:
    """What completes, in which order."""
    program, expected = ORDERS[name]
    assert order(program) == expected


STARTS: dict[str, tuple[Program, str]] = {
    "a retry goes to the back of the queue": (
        flow("s>a; s>b", T("a", ("fail", "x", 0, 1), max_retries=1)),
        "s a b a",
    ),
    "a delayed retry starts when nothing else is ready": (
        flow("s>a; s>b>c", T("a", ("fail", "x", 0, 1), max_retries=1, delay=0.001)),
        "s a b c a",
    ),
    "a join waits for a retried predecessor": (
        flow("s>a>j; s>b>j", T("a", ("fail", "x", 0, 1), max_retries=1)),
        "s a b a j",
    ),
    "a loop runs again each time around": (
        flow("s>a>b>a; b>z", T("b", goto("z", 2))),
        "s a b a z b a z b z",
    ),
    "a task with one predecessor runs on every fire": (flow("a>b>c", T("b", extra("a", 0, 1))), "a b a c b c"),
    "a join does not run before a predecessor that is enqueued again": (
        flow("s>a>j; s>b>j", T("b", extra("a", 0, 1))),
        "s a b a j",
    ),
    "goto into a join is one run, and those of its predecessors that complete afterwards another": (
        flow("s>a>j; s>b>j", T("a", goto("j"))),
        "s a b j j",
    ),
    "an outside predecessor of a loop is waited for, an inside one is not": (
        flow("s>a>b>a; b>z; s>y>z; e>f", T("b", goto("e", 1))),
        "s a y b a b e z f",
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_starts(name: str) -> None:
    """What starts, in which order, repeats included."""
    program, expected = STARTS[name]
    assert ran(program) == expected


def test_fork_sees_the_past_but_no_sibling() -> None:
    """Each branch sees the channel as it was at the fork plus its own writes."""
    program = flow(
        "s>g>z",
        PAIR,
        T("s", ("set", "k0", 1)),
        T("a", ("set", "k0", 2), ("read", "k0")),
        T("b", ("read", "k0")),
        T("z", ("read", "k0")),
    )
    assert predict(program).printed == "a: k0=2 True\nb: k0=1 True\nz: k0=2 True\n"


def test_replay_in_member_order() -> None:
    """At the join the last member's `set` wins and appends are concatenated in member order."""
    a, b = (T(name, ("set", "k0", name), ("append", "l0", name)) for name in "ab")
    program = flow("g>z", PAIR, a, b)
    assert user(predict(program)) == {"k0": "'b'", "l0": "['a', 'b']"}


def test_failed_branch_replays_nothing() -> None:
    """A failed member leaves no writes and no result, even those of its tasks that completed."""
    program = flow(
        "g>z; a>c",
        Group("g", ("a", "b"), "best_effort"),
        T("a", ("set", "k0", 1)),
        T("c", ("fail", "x", 0, EVER)),
        T("z", ("result", "a"), ("result", "b")),
    )
    outcome = predict(program)
    assert user(outcome) == {}
    assert outcome.printed == "z: a gave None\nz: b gave 'b'\n"


def test_writes_of_a_failed_attempt_stay_for_the_retry() -> None:
    """A body that raises keeps its channel writes, but none of its directives."""
    program = flow("a", T("a", ("append", "l0", 1), extra(leaf("x"), 0, 1), ("fail", "x", 0, 1), max_retries=1))
    outcome = predict(program)
    assert user(outcome) == {"l0": "[1, 1]"}
    assert outcome.completed == ("a",)


def test_result_is_the_last_tasks_and_none_of_a_group() -> None:
    """`execute()` returns the last task's result; a group's own is None."""
    assert predict(flow("a>b")).result == "'b'"
    assert predict(flow("s>g", PAIR)).result == "None"


def test_failures_name_what_failed() -> None:
    """No retries, retries exhausted, cancel, cycle limit and a group's failure are five errors."""
    fail, iterate, cancel = ("fail", "x", 0, EVER), ("iterate", None, 0, 9), ("cancel", "no", 0, EVER)
    assert error_of(flow("a", T("a", fail)))[::2] == ("GraflowRuntimeError", "ValueError: x")
    assert error_of(flow("a", T("a", fail, max_retries=2)))[0] == "RetryLimitExceededError"
    assert error_of(flow("a", T("a", iterate, max_cycles=2)))[0] == "CycleLimitExceededError"
    assert error_of(flow("g>z", PAIR, T("b", cancel)))[:2] == ("GraflowWorkflowCanceledError", "no")
    failed = flow("g>z", PAIR, T("b", fail))
    assert error_of(failed)[:2] == ("ParallelGroupError", "Parallel group g failed: 1 task(s) failed")
    assert [name for name, _ in predict(failed).failed] == ["b"]


def test_live_sums_are_not_undone() -> None:
    """`atomic_add` counts on every attempt, failed ones included."""
    program = flow("a", T("a", ("add", "+0", 2), ("fail", "x", 0, 1), max_retries=1))
    assert predict(program).sums == (("+0", "4"),)


def test_endless_programs_are_rejected() -> None:
    """The budget of attempts stops a loop that nothing leaves."""
    with pytest.raises(TooLong):
        predict(flow("a>b>a"))
