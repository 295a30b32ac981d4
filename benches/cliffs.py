"""Owns rows N1 to N10 and N12: groups whose members are of the kinds that users have, not of the cheapest kind.

A figure that holds only for tasks without arguments is no figure. Each kind stands beside a loop by hand that does the
same; bodies do nothing else, so what a row shows is what the feature costs, and the way it takes.
"""

from __future__ import annotations

from collections.abc import Callable

from contest import Entry, Goal, Row

LOOP = "ProcessPoolExecutor loop"


def _row(
    key: str,
    work: str,
    kinds: list[tuple[str, str, float]],
    loop: str,
    quick: bool,
    size: int = 5_000,
    others: tuple[Entry, ...] = (),
    unit: str = "µs a member",
) -> Row:
    """A row with one entry for each (label, kind, µs asked), and the loop by hand that does the same."""
    size = size // 10 if quick else size
    labels = [f"graflow_fast, {label}" if label else "graflow_fast" for label, _, _ in kinds]
    return Row(
        key=key,
        work=f"group of {size} members that {work}",
        unit=unit,
        entries=[
            *[
                Entry(label, "kinds:Members", size, {"kind": kind})
                for label, (_, kind, _) in zip(labels, kinds, strict=True)
            ],
            Entry(LOOP, "byhand:Loop", size, {"kind": loop}, runs=3),
            *[entry for entry in others if not (quick and entry.heavy)],
        ],
        beside=LOOP,
        goals=[Goal(f"≤ {bound:g} µs", label, bound) for label, (_, _, bound) in zip(labels, kinds, strict=True)],
    )


def n1(quick: bool) -> Row:
    """One function, many definitions."""
    kinds: list[tuple[str, str, float]] = [
        ("`TaskWrapper(name, f)`", "wrappers", 2),
        ("`task(name)(f)`", "definitions", 2),
    ]
    return _row("N1", "are definitions of their own of one function", kinds, "noop", quick)


def n2(quick: bool) -> Row:
    """A function each."""
    kinds: list[tuple[str, str, float]] = [
        ("`@task def` in a loop", "in a loop", 10),
        ("closures", "closures", 10),
        ("lambdas", "lambdas", 10),
    ]
    return _row("N2", "have a function each", kinds, "closures", quick, size=1_000)


def n3(quick: bool) -> Row:
    """A dataclass of the program's own file."""
    size, ours, script = (500 if quick else 5_000), "graflow_fast", "script.py"
    heavy = [
        Entry(label, "__main__:Heavy", count, {"peer": peer}, True, runs=2, program=script)
        for label, peer, count in (("Dask distributed", "dask", 300), ("Ray", "ray", 500))
    ]
    return Row(
        key="N3",
        work=f"group of {size} members that take and return a dataclass of the program's own file",
        unit="µs a member",
        entries=[
            Entry(ours, "__main__:Group", size, program=script),
            Entry(LOOP, "__main__:Loop", size, {"way": "submit"}, runs=3, program=script),
            *([] if quick else heavy),
        ],
        beside=LOOP,
        goals=[Goal("≤ 8 µs", ours, 8)],
        note="The workers of the loop are forked from the program, so they have its class already.",
    )


def n4a(quick: bool) -> Row:
    """An argument that isn't a number."""
    return _row("N4a", "take a list of ten numbers", [("", "take", 3)], "take", quick)


def n4b(quick: bool) -> Row:
    """A result that isn't a number."""
    return _row("N4b", "return a small dictionary", [("", "give", 3)], "give", quick)


def n5a(quick: bool) -> Row:
    """A print each, into a pipe that somebody reads."""
    return _row("N5a", "print one line", [("", "say", 4)], "say", quick)


def n5b(quick: bool) -> Row:
    """A log message each, into a pipe that somebody reads."""
    return _row("N5b", "log one line", [("", "log", 12)], "log", quick)


def n6(quick: bool) -> Row:
    """Limits that nobody reaches."""
    kinds: list[tuple[str, str, float]] = [
        ("`timeout`", "timeout", 2.5),
        ("`memory_limit`", "memory_limit", 2.5),
        ("`execute(timeout=...)`", "timeout of the run", 2.5),
        ("`execute(memory_limit=...)`", "memory_limit of the run", 2.5),
        ("`max_concurrency`", "max_concurrency", 2.5),
    ]
    small = 50 if quick else 2_000
    pebble = Entry("pebble schedule, timeout", "byhand:PebbleTimeout", small, runs=3)
    return _row("N6", "have a limit, which none of them reaches", kinds, "noop", quick, others=(pebble,))


def n7(quick: bool) -> Row:
    """One number that all of them add to."""
    size, ours, pipes = (500 if quick else 5_000), "graflow_fast", "bare pipes, a round trip"
    loop = f"{LOOP}, a number in shared memory"
    return Row(
        key="N7",
        work=f"group of {size} members that `atomic_add` to one key",
        unit="µs a member",
        entries=[
            Entry(ours, "kinds:Members", size, {"kind": "adding"}),
            Entry(pipes, "limits:PingPong", 4 * size, {"kind": "pipe"}),
            Entry(loop, "byhand:Loop", size, {"kind": "adding"}, runs=3),
        ],
        beside=loop,
        goals=[Goal("≤ 3 × bare pipes", ours, 3, against=pipes)],
    )


def n8(quick: bool) -> Row:
    """Tasks that come into being inside a body."""
    kinds: list[tuple[str, str, float]] = [("", "enqueueing", 15)]
    work = "define a function and enqueue it as one more task each"
    return _row("N8", work, kinds, "enqueueing", quick, size=1_000, unit="µs a member and its task")


def n9(quick: bool) -> Row:
    """One `next_iteration` each."""
    return _row("N9", "iterate once more each", [("", "iterating", 5)], "iterating", quick)


def _n10(key: str, work: str, target: str, shape: str, bound: float, quick: bool) -> Row:
    size, ours = (500 if quick else 5_000), "graflow_fast"
    return Row(
        key=key,
        work=f"{work}, {size} tasks",
        unit="µs a task",
        entries=[
            Entry(ours, target, size),
            Entry(LOOP, "graphs:PeerGraph", size, {"peer": "executor", "shape": shape, "passing": False}, runs=3),
        ],
        beside=LOOP,
        goals=[Goal(f"≤ {bound:g} µs", ours, bound)],
    )


def n10a(quick: bool) -> Row:
    """Members of two steps."""
    return _n10("N10a", "group whose members are chains of two", "kinds:Pairs", "pairs", 4, quick)


def n10b(quick: bool) -> Row:
    """Small groups, one behind the other."""
    return _n10("N10b", "sequence of groups of ten", "kinds:Batches", "groups", 3, quick)


def n12(quick: bool) -> Row:
    """Who watches, and what may be forgotten."""
    kinds: list[tuple[str, str, float]] = [
        ("a tracer that counts", "traced", 4),
        ('`keep_results="needed"`', "needed", 2.5),
    ]
    return _row("N12", "are watched, or whose results may be forgotten", kinds, "noop", quick)


ROWS: dict[str, Callable[[bool], Row]] = {
    "N1": n1,
    "N2": n2,
    "N3": n3,
    "N4a": n4a,
    "N4b": n4b,
    "N5a": n5a,
    "N5b": n5b,
    "N6": n6,
    "N7": n7,
    "N8": n8,
    "N9": n9,
    "N10a": n10a,
    "N10b": n10b,
    "N12": n12,
}
