"""Owns row S5: `map` over a million items."""

from __future__ import annotations

from contest import Entry, Goal, Row


def s5(quick: bool) -> Row:
    """`task.map` beside everybody's best chunked map."""
    size = 50_000 if quick else 1_000_000
    tenth = size // 10
    ours, pool, peer = "graflow_fast, task.map", "Pool.map, automatic chunks", "peers:PeerTasks"
    return Row(
        key="S5",
        work=f"map over {size} items (`item * 2`)",
        unit="µs an item",
        entries=[
            Entry(ours, "engines:Map", size, {"executor": "process"}),
            Entry(pool, peer, size, {"peer": "pool", "verb": "bulk", "body": "double"}),
            Entry(
                "ProcessPoolExecutor.map, chunk 1000",
                peer,
                size // 2,
                {"peer": "executor", "verb": "bulk", "body": "double"},
            ),
            Entry("loky map, chunk 1000", peer, tenth, {"peer": "loky", "verb": "bulk", "body": "double"}),
            Entry("pebble map, chunk 1000", peer, tenth, {"peer": "pebble", "verb": "bulk", "body": "double"}),
            Entry("mpire map, automatic chunks", peer, tenth, {"peer": "mpire", "verb": "bulk", "body": "double"}),
            Entry("joblib, automatic batches", peer, tenth, {"peer": "joblib", "verb": "bulk", "body": "double"}),
            Entry("plain calls in a loop", "engines:Bodies", size, {"body": "double"}),
        ],
        goals=[Goal("≤ 1.5 × Pool.map", ours, 1.5, against=pool)],
        runs=5,
    )


ROWS = {"S5": s5}
