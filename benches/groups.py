"""Owns rows S3 and S4: large parallel groups of no-op members on two workers."""

from __future__ import annotations

from contest import Entry, Goal, Row


def _limits(quick: bool) -> list[Entry]:
    sizes = {1: 20_000, 10: 50_000, 100: 100_000} if not quick else {}
    return [
        *[Entry(f"the limit, {calls} a frame", "limits:Limit", n, {"per_frame": calls}) for calls, n in sizes.items()],
        Entry("1000 a frame, each frame one pickle", "limits:Limit", 200_000, {"per_frame": 1000, "each": False}),
    ]


def s3(quick: bool) -> Row:
    """A group of no-op members, each of them a task of its own."""
    size, small = (10_000, 500) if quick else (200_000, 3_000)
    ours, limit, imap, submit = (
        "graflow_fast",
        "the limit, 1000 a frame",
        "Pool.imap_unordered",
        "ProcessPoolExecutor.submit",
    )
    peer = "peers:PeerTasks"
    heavy = [
        Entry("Ray", peer, 1_000, {"peer": "ray", "verb": "each"}, heavy=True, runs=3),
        Entry("Dask distributed", peer, 500, {"peer": "dask", "verb": "each"}, heavy=True, runs=3),
    ]
    return Row(
        key="S3",
        work=f"group of {size} no-op members on 2 workers",
        unit="µs a task",
        entries=[
            Entry(ours, "engines:Group", size),
            Entry(limit, "limits:Limit", 200_000, {"per_frame": 1000}),
            *_limits(quick),
            Entry(imap, peer, 4 * small, {"peer": "pool", "verb": "each"}),
            Entry(submit, peer, small, {"peer": "executor", "verb": "each"}),
            Entry("ProcessPoolExecutor.map, chunk 1", peer, small, {"peer": "executor1", "verb": "bulk"}),
            Entry("loky submit", peer, small, {"peer": "loky", "verb": "each"}),
            Entry("pebble schedule", peer, small, {"peer": "pebble", "verb": "each"}),
            Entry("mpire, chunk 1", peer, small, {"peer": "mpire", "verb": "each"}),
            Entry("graflow group (threads)", "engines:Group", 500, {"library": "graflow"}),
            *([] if quick else heavy),
        ],
        goals=[
            Goal("≤ 1.25 × the limit", ours, 1.25, against=limit),
            Goal("≥ 10 × Pool.imap_unordered", ours, 1 / 10, against=imap),
            Goal("≥ 50 × ProcessPoolExecutor.submit", ours, 1 / 50, against=submit),
        ],
        note="Each call of the limit is a pickle of its own; with one pickle a frame it is cheaper, see that line. "
        "Ray and Dask are left out with --quick.",
    )


def s4(quick: bool) -> Row:
    """The same, where each member uses the channel and enqueues one more task."""
    size = 5_000 if quick else 100_000
    ours, limit = "graflow_fast", "the limit, 1000 a frame"
    return Row(
        key="S4",
        work=f"group of {size} members that read the channel, append to it and enqueue one more task each",
        unit="µs a task",
        entries=[
            Entry(ours, "engines:BusyGroup", size),
            Entry(limit, "limits:Limit", 200_000, {"per_frame": 1000}),
            Entry("graflow group (threads)", "engines:BusyGroup", 300, {"library": "graflow"}),
        ],
        goals=[Goal("≤ 2.5 × the limit", ours, 2.5, against=limit)],
        runs=3,
        note="A member and the task it enqueues are two tasks. graflow 0.2.0 keeps one append of all of them.",
    )


ROWS = {"S3": s3, "S4": s4}
