"""Owns rows S5 and N16: `map` over a million items, and over what isn't a number."""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

from bodies import say
from contest import WORKERS, Entry, Goal, Row, stopwatch
from drain import Drain
from engines import Engine


class Appending(Engine):
    """A map whose body takes the context and appends to the channel: µs an item."""

    def __init__(self) -> None:
        super().__init__(executor="process")

    def run(self, size: int) -> float:
        def body(ctx: Any, item: int) -> int:
            ctx.get_channel().append("seen", item)
            return item

        with self.workflow() as flow:
            self.library.task(inject_context=True)(body).map(range(size))
        answers: list[Any] = []
        seconds = stopwatch(lambda: answers.append(self.execute(flow, size)[1]))
        if sorted(answers[0].get_channel().get("seen")) != list(range(size)):
            raise RuntimeError("not every item was appended")
        return seconds / size * 1e6


class Printing(Engine):
    """A map whose body prints a line, by graflow_fast or by `Pool.map`: µs an item."""

    def __init__(self, ours: bool = True) -> None:
        super().__init__(executor="process")
        self._drain = Drain()
        self._pool = None if ours else multiprocessing.get_context("fork").Pool(WORKERS)

    def run(self, size: int) -> float:
        if self._pool is None:
            with self.workflow() as flow:
                self.library.task(say).map(range(size))
            seconds = stopwatch(lambda: self.execute(flow, size))
        else:
            pool = self._pool
            seconds = stopwatch(lambda: pool.map(_say_now, range(size)))
        if (lines := self._drain.lines()) != size:
            raise RuntimeError(f"{lines} lines of {size} were printed")
        return seconds / size * 1e6

    def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
        self._drain.close()


def _say_now(item: int) -> None:
    """What a forked worker prints would be lost in its buffer."""
    say(item)
    sys.stdout.flush()


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
        goals=[Goal("≤ 0.8 × Pool.map", ours, 0.8, against=pool)],
        runs=5,
    )


def n16a(quick: bool) -> Row:
    """Items of a class of the program's own file."""
    size, ours, pool, script = (2_000 if quick else 50_000), "graflow_fast, task.map", "Pool.map", "script.py"
    return Row(
        key="N16a",
        work=f"map over {size} dataclasses of the program's own file, which returns one each",
        unit="µs an item",
        entries=[
            Entry(ours, "__main__:Map", size, program=script),
            Entry(f"{pool}, automatic chunks", "__main__:Loop", size, {"way": "map"}, program=script),
        ],
        goals=[Goal("≤ 5 µs", ours, 5)],
        note="The workers of the pool are forked from the program, so they have its class already.",
    )


def n16b(quick: bool) -> Row:
    """A body that takes the context."""
    size, ours = (2_000 if quick else 50_000), "graflow_fast, task.map"
    return Row(
        key="N16b",
        work=f"map over {size} items whose body takes the context and appends to the channel",
        unit="µs an item",
        entries=[
            Entry(ours, "maps:Appending", size),
            Entry("the limit, 1000 a frame", "limits:Limit", size, {"per_frame": 1000}),
        ],
        goals=[Goal("≤ 2 µs", ours, 2)],
    )


def n16c(quick: bool) -> Row:
    """A body that prints, into a pipe that somebody reads."""
    size, ours = (2_000 if quick else 50_000), "graflow_fast, task.map"
    return Row(
        key="N16c",
        work=f"map over {size} items whose body prints a line",
        unit="µs an item",
        entries=[
            Entry(ours, "maps:Printing", size),
            Entry("Pool.map, automatic chunks", "maps:Printing", size, {"ours": False}),
        ],
        goals=[Goal("≤ 2 µs", ours, 2)],
    )


ROWS = {"S5": s5, "N16a": n16a, "N16b": n16b, "N16c": n16c}
