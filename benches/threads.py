"""Owns rows N15, N17, N19: bodies in threads, alone, beside a pool that is busy, and without the interpreter lock."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from bodies import BODIES
from contest import WORKERS, Entry, Goal, Row
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


class Computing(Engine):
    """A group of members that compute: useful CPU time over cores × wall, in percent."""

    def __init__(self, executor: str, body: str, seconds: float) -> None:
        super().__init__(executor=executor)
        self._body, self._seconds = BODIES[body], seconds

    def run(self, size: int) -> float:
        member = self.library.task(self._body)
        with self.workflow() as flow:
            self.library.parallel(*[member(task_id=f"n{i}") for i in range(size)])
        return 100 * size * self._seconds / (WORKERS * self.timed_group(flow, size))


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


def _n19(key: str, size: int, body: str, seconds: float, words: str) -> Row:
    def entry(executor: str, free: bool) -> Entry:
        label = f"{'threads' if executor == 'thread' else 'processes'}, {'3.14t' if free else 'with the lock'}"
        params = {"executor": executor, "body": body, "seconds": seconds}
        return Entry(label, "threads:Computing", size, params, free=free)

    return Row(
        key=key,
        work=f"group of {size} members that compute for {words} each, in threads and in processes",
        unit="% useful CPU",
        entries=[entry(executor, free) for free in (False, True) for executor in ("process", "thread")],
        goals=[],
        note="Why `auto` has groups in processes without the lock, too: [the design](design.md), 7.",
    )


def n19a(quick: bool) -> Row:
    """Members that are long for a task."""
    return _n19("N19a", 40 if quick else 1_000, "spin_1ms", 0.001, "1 ms")


def n19b(quick: bool) -> Row:
    """Members that are short for one."""
    return _n19("N19b", 100 if quick else 5_000, "spin_100us", 0.0001, "100 µs")


ROWS = {"N15a": n15a, "N15b": n15b, "N17": n17, "N19a": n19a, "N19b": n19b}
