"""Owns rows N15 and N17: bodies in threads, alone and beside a pool that is busy."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from contest import Entry, Goal, Row
from engines import Engine

LONGEST = 30.0  # seconds that the busy body waits to be told to end, at most


def hold(path: str) -> None:
    """Occupy a worker until the file is there."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until and not Path(path).exists():
        time.sleep(0.01)


class Beside(Engine):
    """A body that iterates in a thread while a worker process is occupied: µs a round."""

    def run(self, size: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "end"))

            times: list[float] = []

            def rounds(ctx: Any) -> None:
                times.append(time.perf_counter())
                if len(times) < size:
                    ctx.next_iteration()
                else:
                    Path(path).touch()

            with self.workflow() as flow:
                busy = self.library.task(handler="process")(hold)(task_id="busy", path=path)
                quick = self.library.task(handler="thread", inject_context=True, max_cycles=size + 10)(rounds)
                self.library.parallel(busy, quick(task_id="quick"))
            self.execute(flow, size + 10)
        if len(times) != size:
            raise RuntimeError(f"{len(times)} rounds of {size}")
        return (times[-1] - times[0]) / (size - 1) * 1e6


def n15a(quick: bool) -> Row:
    """A chain, each step in a thread."""
    size, ours = (200 if quick else 5_000), "graflow_fast"
    return Row(
        key="N15a",
        work=f'chain of {size} no-op steps, `executor="thread"`',
        unit="µs a step",
        entries=[
            Entry(ours, "engines:Chain", size, {"executor": "thread"}),
            Entry(
                "ThreadPoolExecutor.submit().result()",
                "peers:PeerTasks",
                size,
                {"peer": "threads", "verb": "lone"},
                runs=3,
            ),
        ],
        goals=[Goal("≤ 12 µs", ours, 12)],
    )


def n15b(quick: bool) -> Row:
    """A group, each member in a thread."""
    size, ours = (200 if quick else 5_000), "graflow_fast"
    return Row(
        key="N15b",
        work=f'group of {size} no-op members, `executor="thread"`',
        unit="µs a member",
        entries=[
            Entry(ours, "engines:Group", size, {"executor": "thread"}),
            Entry("ThreadPoolExecutor.submit", "peers:PeerTasks", size, {"peer": "threads", "verb": "each"}, runs=3),
            Entry("graflow group (threads)", "engines:Group", 500, {"library": "graflow"}, runs=2),
        ],
        goals=[Goal("≤ 12 µs", ours, 12)],
    )


def n17(quick: bool) -> Row:
    """A thread and a process at the same time."""
    size, ours = (20 if quick else 200), "graflow_fast"
    return Row(
        key="N17",
        work="a body that iterates in a thread beside a busy worker process",
        unit="µs a round",
        entries=[
            Entry(ours, "threads:Beside", size, warm=5),
            Entry(
                "ThreadPoolExecutor.submit().result()",
                "peers:PeerTasks",
                10 * size,
                {"peer": "threads", "verb": "lone"},
                runs=3,
            ),
        ],
        goals=[Goal("≤ 150 µs", ours, 150)],
        runs=3,
    )


ROWS = {"N15a": n15a, "N15b": n15b, "N17": n17}
