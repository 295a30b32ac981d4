"""Owns rows D4 to D9 and D12: what it costs that runs survive, and that results are kept.

D1, D2, D3, D10 and D11 are counts of faults and what was lost by them: ``make trust`` prints them.
"""

from __future__ import annotations

from contest import Entry, Goal, Row

OURS, PLAIN, DBOS = "graflow_fast, durable", "graflow_fast, not durable", "DBOS Transact on SQLite"
ON_DISK = "bytes on the disk for each"


def d4a(quick: bool) -> Row:
    """A chain in the calling process."""
    size = 50_000
    return Row(
        key="D4a",
        work="durable chain of no-op steps, inline",
        unit="µs a step",
        entries=[
            Entry(OURS, "surviving:Chain", size),
            Entry(PLAIN, "surviving:Chain", size, {"durable": False}),
            Entry(DBOS, "surviving:Dbos", 50 if quick else 200, heavy=True, warm=2, runs=2),
        ],
        goals=[
            Goal("≤ 2 µs", OURS, 2),
            Goal("≥ 1000 × faster than DBOS", OURS, 1 / 1000, against=DBOS),
            Goal("≤ 120 bytes on the disk a step", OURS, 120, noted=ON_DISK),
        ],
    )


def d4b(quick: bool) -> Row:
    """Members in the pool."""
    size = 5_000 if quick else 100_000
    return Row(
        key="D4b",
        work="durable group of no-op members in the pool",
        unit="µs a member",
        entries=[Entry(OURS, "surviving:Group", size), Entry(PLAIN, "surviving:Group", size, {"durable": False})],
        goals=[
            Goal("≤ 1.9 µs", OURS, 1.9),
            Goal("≤ 120 bytes on the disk a member", OURS, 120, noted=ON_DISK),
        ],
    )


def d4c(quick: bool) -> Row:
    """Tasks that use the channel and add tasks."""
    size = 2_000 if quick else 20_000
    return Row(
        key="D4c",
        work="durable tasks that read the channel, append to it, write to it, and enqueue the next one, inline",
        unit="µs a task",
        entries=[Entry(OURS, "surviving:Busy", size), Entry(PLAIN, "surviving:Busy", size, {"durable": False})],
        goals=[Goal("≤ 1.25 × not durable", OURS, 1.25, against=PLAIN)],
    )


def d5(quick: bool) -> Row:
    """How often a run waits for the disk that loses nothing with the power."""
    size, members = (50, 500) if quick else (200, 10_000)
    ours, group = "graflow_fast, chain", f"graflow_fast, {members} members in all"
    return Row(
        key="D5",
        work='waits for the disk (`fsync`, `fdatasync`) with `sync="power"`',
        unit="a step",
        entries=[
            Entry(ours, "surviving:Syncs", size, {"program": "chain"}, warm=0),
            Entry(group, "surviving:Syncs", members, {"program": "group", "each": False}, warm=0, patience=300),
            Entry(DBOS, "surviving:Syncs", 50, {"program": "dbos"}, heavy=True, warm=0, runs=1),
        ],
        goals=[
            Goal("≤ 1.2 a step", ours, 1.2),
            Goal("≤ 20 for 10 000 members", group, 20),
            Goal("half of DBOS's or less", ours, 0.5, against=DBOS),
        ],
        runs=2,
    )


def d6(quick: bool) -> Row:
    """Whole runs."""
    size = 50 if quick else 500
    return Row(
        key="D6",
        work="durable runs of one task",
        unit="µs a run",
        entries=[
            Entry(OURS, "surviving:Runs", size),
            Entry(PLAIN, "surviving:Runs", size, {"durable": False}),
            Entry(DBOS, "surviving:Dbos", 20, {"lone": True}, heavy=True, warm=2, runs=2),
        ],
        goals=[Goal("≤ 500 µs (2 000 a second)", OURS, 500)],
    )


def d6_start(quick: bool) -> Row:
    """A program's start."""
    return Row(
        key="D6b",
        work="a whole program of one task: what it takes more with a durable run",
        unit="ms",
        entries=[Entry(OURS, "surviving:Start", 5 if quick else 21, warm=1)],
        goals=[Goal("≤ 5 ms", OURS, 5)],
        runs=3,
    )


def d7(quick: bool) -> Row:
    """How stores grow."""
    return Row(
        key="D7",
        work="iterations over 100 KB in the channel that none of them changes",
        unit="bytes on the disk an iteration",
        entries=[Entry(OURS, "surviving:Unchanged", 5_000 if quick else 100_000, warm=1, patience=300)],
        goals=[
            Goal("≤ 150 bytes an iteration (150 MB for a million)", OURS, 150),
            Goal("its log never above 64 MiB", OURS, 64, noted="longest log of the database, MiB"),
        ],
        runs=2,
    )


def d8a(quick: bool) -> Row:
    """Catching up."""
    return Row(
        key="D8a",
        work="a run that goes on: catching up with what is done",
        unit="seconds for a million steps",
        entries=[Entry(OURS, "surviving:Resumed", 50_000 if quick else 200_000, warm=1_000, patience=300)],
        goals=[Goal("≤ 2.5 s", OURS, 2.5)],
        runs=3,
    )


def d8b(quick: bool) -> Row:
    """Looking while a run writes."""
    return Row(
        key="D8b",
        work="listing the runs of a store of 1 GB while one writes to it",
        unit="ms",
        entries=[Entry(OURS, "surviving:Listed", 50 if quick else 1_000, warm=0, patience=300)],
        goals=[
            Goal("≤ 50 ms", OURS, 50),
            Goal("showing one ≤ 200 ms", OURS, 200, noted="ms to show a run of 1 000 tasks"),
        ],
        runs=3,
    )


def d9a(quick: bool) -> Row:
    """Small results."""
    size = 500 if quick else 5_000
    return Row(
        key="D9a",
        work="a small result taken from the cache, its key made anew",
        unit="µs a hit",
        entries=[
            Entry("graflow_fast", "keeping:Hits", size),
            Entry("joblib.Memory", "keeping:Joblib", size),
            Entry("diskcache, a bare get", "keeping:Diskcache", size),
        ],
        goals=[Goal("≤ 15 µs", "graflow_fast", 15), Goal("faster than joblib", "graflow_fast", 1, "joblib.Memory")],
    )


def d9b(quick: bool) -> Row:
    """Large arguments."""
    size = 10 if quick else 100
    ours, taken = "graflow_fast, the first time", "graflow_fast, it came from a task"
    return Row(
        key="D9b",
        work=f"a hit of a task with an array of {size} MB as its argument",
        unit="ms",
        entries=[
            Entry(ours, "keeping:LargeArgument", size, warm=1),
            Entry(taken, "keeping:LargeArgument", size, {"from_task": True}, warm=1),
            Entry("joblib.Memory", "keeping:LargeArgument", size, {"peer": True}, warm=1),
        ],
        goals=[Goal("≤ 45 ms", ours, 45), Goal("≤ 1 ms if it came from a task", taken, 1)],
        runs=3,
    )


def d12(quick: bool) -> Row:
    """Removing old runs."""
    size = 100 if quick else 5_000
    return Row(
        key="D12",
        work=f"gc of 90 % of a store of {size} MB while a run writes",
        unit="per cent that the file is smaller",
        entries=[Entry("graflow_fast", "keeping:Collected", size, warm=10, patience=900, runs=1)],
        goals=[
            Goal("≥ 80 %", "graflow_fast", 80, at_least=True),
            Goal("a writer waits ≤ 50 ms", "graflow_fast", 50, noted="ms that a writer waited at most"),
        ],
        runs=1,
    )


ROWS = {
    "D4a": d4a,
    "D4b": d4b,
    "D4c": d4c,
    "D5": d5,
    "D6": d6,
    "D6b": d6_start,
    "D7": d7,
    "D8a": d8a,
    "D8b": d8b,
    "D9a": d9a,
    "D9b": d9b,
    "D12": d12,
}
