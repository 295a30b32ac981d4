"""Owns rows M2 and M3: what a long run costs in memory, of the coordinator and of its workers."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bodies import noop
from contest import Entry, Goal, Row
from engines import Engine

TIME, FLAT = "µs a task", "last tenth over first tenth, time"


def peak() -> int:
    """The most bytes that this process ever had resident, since its program was loaded."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the system doesn't tell a process its peak")


def resident(children: bool = False) -> int:
    """Resident bytes of this process, or of it and all its children."""
    import psutil

    this = psutil.Process()
    total = this.memory_info().rss
    for child in this.children(recursive=True) if children else []:
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return int(total)


class OneByOne(Engine):
    """Each task enqueues the next, a new one, and its result is kept: MB of the coordinator at its peak."""

    def run(self, size: int) -> Mapping[str, float]:
        times: list[float] = []
        marks = {size // 10, size - size // 10, size - 1}
        library = self.library
        shared: dict[str, Any] = {}

        def step(ctx: Any, number: int) -> int:
            if number in marks:
                times.append(time.perf_counter())
            if number + 1 < size:
                ctx.next_task(shared["step"](task_id=f"n{number + 1}", number=number + 1))
            return number

        shared["step"] = library.task(inject_context=True)(step)
        with self.workflow() as flow:
            shared["step"](task_id="n0", number=0)
        started = time.perf_counter()
        _, context = self.execute(flow, size)
        if len(times) != 3 or context.get_result(f"n{size - 1}") != size - 1:
            raise RuntimeError(f"the run ended early, at mark {len(times)} of 3")
        first, last = times[0] - started, times[2] - times[1]
        return {
            "value": peak() / 1e6,
            "MB at the end": resident() / 1e6,
            TIME: (times[2] - started) / size * 1e6,
            FLAT: last / first,
        }


class Forgotten(Engine):
    """Runs one after another, each dropped when done: MB that coordinator and workers grew by in the last 80 %."""

    def __init__(self, kind: str) -> None:
        super().__init__(executor="process")
        self._kind = kind
        self._options["keep_results"] = "none"

    def run(self, size: int) -> Mapping[str, float]:
        rounds, at_start = 50, 0
        for turn in range(rounds):
            gc.collect()  # or the figure says when the collector last ran, not what is kept
            if turn == rounds // 5:
                at_start = resident(children=True)
            if self._kind == "groups":
                member = self.library.task(noop)
                with self.workflow() as flow:
                    self.library.parallel(*[member(task_id=f"n{i}") for i in range(size // rounds)])
            else:
                with self.workflow() as flow:
                    self._loop(size // rounds)
            self.execute(flow, size)
            del flow
        gc.collect()
        return {"value": (resident(children=True) - at_start) / 1e6, "MB in the end": resident(children=True) / 1e6}

    def _loop(self, count: int) -> None:
        def again(ctx: Any) -> None:
            if ctx.cycle_count < count:
                ctx.next_iteration()

        self.library.task(inject_context=True, max_cycles=count + 10)(again)


class Loop(Engine):
    """One long `next_iteration` run, inline: MB it grew by between a fifth of the way and the end."""

    def __init__(self, library: str = "graflow_fast") -> None:
        super().__init__(library)
        if self.fast:
            self._options["keep_results"] = "none"  # by default, as in graflow, each iteration's is kept

    def run(self, size: int) -> float:
        sizes: list[int] = []
        steps = itertools.count(1)

        def again(ctx: Any) -> None:
            step = next(steps)
            if step in (size // 5, size):
                sizes.append(resident())
            if step < size:
                ctx.next_iteration()

        with self.workflow() as flow:
            self.library.task(inject_context=True, max_cycles=size + 10)(again)
        self.execute(flow, size + 10)
        if len(sizes) != 2:
            raise RuntimeError("the loop ended early")
        return (sizes[1] - sizes[0]) / 1e6


def m2(quick: bool) -> Row:
    """A million tasks enqueued at run time."""
    size, peer = (20_000, 2_000) if quick else (1_000_000, 10_000)
    ours = "graflow_fast"
    return Row(
        key="M2",
        work=f"{size} tasks enqueued one by one at run time, results kept: coordinator at its peak",
        unit="MB resident",
        totals=True,
        entries=[
            Entry(ours, "memory:OneByOne", size, warm=0),
            Entry(f"graflow, {peer} tasks", "memory:OneByOne", peer, {"library": "graflow"}, warm=0),
        ],
        goals=[
            Goal("≤ 300 MB", ours, 300),
            Goal("≤ 6 µs a task", ours, 6, noted=TIME),
            Goal("flat: the last tenth takes ≤ 1.1 × the first", ours, 1.1, noted=FLAT),
        ],
        runs=1,
    )


def m3(quick: bool) -> Row:
    """Memory of coordinator and workers against tasks finished and forgotten."""
    size = 10_000 if quick else 200_000
    return Row(
        key="M3",
        work=f"growth over the last 80 % of {size} tasks, finished and forgotten",
        unit="MB grown",
        totals=True,
        entries=[
            Entry("graflow_fast, groups in 50 runs", "memory:Forgotten", size, {"kind": "groups"}),
            Entry("graflow_fast, loops in 50 runs", "memory:Forgotten", size, {"kind": "loops"}),
            Entry("graflow_fast, one long loop", "memory:Loop", size),
            Entry("graflow, one loop of 5000", "memory:Loop", 5_000, {"library": "graflow"}, warm=0),
        ],
        goals=[
            Goal("≤ 4 MB (noise)", f"graflow_fast, {what}", 4)
            for what in ("groups in 50 runs", "loops in 50 runs", "one long loop")
        ],
        runs=1,
    )


ROWS = {"M2": m2, "M3": m3}
