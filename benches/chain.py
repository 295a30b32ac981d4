"""Owns rows S2 and S9: chains and loops of no-op steps, inline and in the pool."""

from __future__ import annotations

from contest import Entry, Goal, Row


def s2(quick: bool) -> Row:
    """A chain of no-op steps, run inline."""
    small, large = 1_000, 20_000 if quick else 1_000_000
    ours, ours_large = f"graflow_fast, {small} steps", f"graflow_fast, {large} steps"
    peer_sizes = [1_000] if quick else [1_000, 5_000, 20_000]
    return Row(
        key="S2",
        work="chain of no-op steps, `auto` (inline)",
        unit="µs a step",
        entries=[
            Entry(ours, "engines:Chain", small, warm=small),
            Entry("plain calls in a loop", "engines:Bodies", 1_000_000),
            *[
                Entry(
                    f"graflow, {size} steps", "engines:Chain", size, {"library": "graflow"}, runs=2 if size > 9e3 else 5
                )
                for size in peer_sizes
            ],
            Entry(ours_large, "engines:Chain", large, warm=small, runs=2),
        ],
        goals=[
            Goal(f"≤ 1 µs at {small}", ours, 1),
            Goal(f"≤ 1 µs at {large}", ours_large, 1),
            Goal("the same at both (≤ 1.1 ×)", ours_large, 1.1, against=ours),
        ],
    )


def s9(quick: bool) -> Row:
    """A chain and a `next_iteration` loop whose steps all run in a worker."""
    size, peer = (2_000, 500) if quick else (20_000, 3_000)
    return Row(
        key="S9",
        work='chain, and `next_iteration` loop, of no-op steps, `executor="process"`',
        unit="µs a step",
        entries=[
            Entry("graflow_fast, chain", "engines:Chain", size, {"executor": "process"}),
            Entry("graflow_fast, loop", "engines:Loop", size, {"executor": "process"}),
            Entry("the limit, 1 call a frame", "limits:Limit", size, {"per_frame": 1}),
            Entry(
                "ProcessPoolExecutor.submit().result()", "peers:PeerTasks", peer, {"peer": "executor", "verb": "lone"}
            ),
            Entry("multiprocessing.Pool.apply", "peers:PeerTasks", peer, {"peer": "pool", "verb": "lone"}),
            Entry("graflow, chain (inline)", "engines:Chain", 1_000, {"library": "graflow"}),
        ],
        goals=[
            Goal("chain ≤ 6 µs", "graflow_fast, chain", 6),
            Goal("loop ≤ 6 µs", "graflow_fast, loop", 6),
        ],
    )


ROWS = {"S2": s2, "S9": s9}
