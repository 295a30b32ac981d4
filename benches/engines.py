"""Owns the workflows that the rows run, written once for `graflow_fast` and for `graflow`: only the import differs.

Building a workflow is not timed (groups report it as a note), `execute` is. Every run checks that the work was done.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from bodies import BODIES, noop
from contest import WORKERS, stopwatch

_serial = itertools.count()


class Engine:
    """One of the two libraries, with the arguments that its `execute` takes."""

    def __init__(self, library: str = "graflow_fast", executor: str | None = None) -> None:
        self.library = importlib.import_module(library)
        self.fast = library == "graflow_fast"
        self._options: dict[str, Any] = {}
        if self.fast:
            self._options["max_workers"] = WORKERS
            if executor is not None:
                self._options["executor"] = executor

    def workflow(self) -> Any:
        """Open a workflow with a name of its own."""
        return self.library.workflow(f"bench{next(_serial)}")

    def execute(self, flow: Any, steps: int, start: str | None = None) -> tuple[Any, Any]:
        """Run it; `graflow` needs room for the steps, since it stops silently at 10 000."""
        limits = {} if self.fast else {"max_steps": steps + 1000, "start_node": start}
        result: tuple[Any, Any] = flow.execute(ret_context=True, **limits, **self._options)
        return result

    def timed(self, flow: Any, tasks: int, last: str) -> float:
        """Seconds that a run of steps takes; an error when the last one didn't run."""
        answers: list[tuple[Any, Any]] = []
        seconds = stopwatch(lambda: answers.append(self.execute(flow, tasks)))
        done = answers[0][1].completed_tasks
        if last not in done:
            raise RuntimeError(f"{last} did not run; {len(done)} of {tasks} tasks completed")
        return seconds

    def timed_group(self, flow: Any, members: int) -> float:
        """Seconds that a run of one group takes; an error when a member left no result in the channel."""
        answers: list[tuple[Any, Any]] = []
        seconds = stopwatch(lambda: answers.append(self.execute(flow, members)))
        left = results(answers[0][1])
        if left < members:
            raise RuntimeError(f"only {left} of {members} members left a result")
        return seconds

    def close(self) -> None:
        """Nothing to close: the pool belongs to the process."""


def results(context: Any) -> int:
    """How many results a run left in its channel."""
    return sum(key.endswith(".__result__") for key in context.get_channel().keys())  # noqa: SIM118


class Chain(Engine):
    """A chain of no-op steps: µs a step."""

    def run(self, size: int) -> float:
        step = self.library.task(noop)
        with self.workflow() as flow:
            self.library.chain(*[step(task_id=f"n{i}") for i in range(size)])
        return self.timed(flow, size, f"n{size - 1}") / size * 1e6


class Loop(Engine):
    """One task that runs `size` times by `next_iteration`: µs a step."""

    def run(self, size: int) -> float:
        def again(ctx: Any) -> int:
            count = int(ctx.cycle_count)
            if count < size:
                ctx.next_iteration()
            return count

        with self.workflow() as flow:
            self.library.task(inject_context=True, max_cycles=size + 10)(again)
        counts: list[Any] = []
        seconds = stopwatch(lambda: counts.append(self.execute(flow, size + 10)[0]))
        if counts[0] is None or counts[0] < size - 1:
            raise RuntimeError(f"the loop stopped at {counts[0]} of {size}")
        return seconds / size * 1e6


class Group(Engine):
    """A parallel group of `size` members: µs a member; building it is a note."""

    def __init__(self, library: str = "graflow_fast", executor: str | None = None, body: str = "noop") -> None:
        super().__init__(library, executor)
        self._body = BODIES[body]

    def run(self, size: int) -> Mapping[str, float]:
        member = self.library.task(self._body)
        flows: list[Any] = []

        def build() -> None:
            with self.workflow() as flow:
                self.library.parallel(*[member(task_id=f"n{i}") for i in range(size)])
            flows.append(flow)

        building = stopwatch(build)
        seconds = self.timed_group(flows[0], size)
        return {"value": seconds / size * 1e6, "building, µs each": building / size * 1e6}


class BusyGroup(Engine):
    """Members that read the channel, append to it and enqueue one more task each: µs a task, of which there are 2."""

    def run(self, size: int) -> float:
        follow_up = self.library.task(noop)

        def member(ctx: Any, number: int) -> None:
            channel = ctx.get_channel()
            channel.append("seen", channel.get("base") + number)
            ctx.next_task(follow_up(task_id=f"more{number}"))

        task = self.library.task(inject_context=True)(member)
        with self.workflow() as flow:
            first = self.library.task(id="first", inject_context=True)(_set_base)
            members = self.library.parallel(*[task(task_id=f"n{i}", number=i) for i in range(size)])
            first >> members
        answers: list[tuple[Any, Any]] = []
        seconds = stopwatch(lambda: answers.append(self.execute(flow, 2 * size, "first")))
        seen = answers[0][1].get_channel().get("seen")
        if self.fast and (len(seen) != size or sum(seen) != size + size * (size - 1) // 2):
            raise RuntimeError(f"{len(seen)} of {size} members appended")
        return seconds / (2 * size) * 1e6


def _set_base(ctx: Any) -> None:
    ctx.get_channel().set("base", 1)


class Map(Engine):
    """`task.map(items)`: µs an item."""

    def run(self, size: int) -> float:
        task = self.library.task(BODIES["double"])
        holder: list[Any] = []

        def work() -> None:
            with self.workflow() as flow:
                mapped = task.map(range(size))
            holder.append(mapped if isinstance(mapped, list) else self.execute(flow, size)[0])

        seconds = stopwatch(work)
        if len(holder[0]) != size or holder[0][size - 1] != 2 * (size - 1):
            raise RuntimeError("map gave wrong results")
        return seconds / size * 1e6


class Alternating(Engine):
    """Steps in the pool between steps inline, so each goes there and back alone: µs for one of each."""

    def run(self, size: int) -> float:
        here = self.library.task(handler="direct")(noop)
        there = self.library.task(handler="process")(BODIES["double"])
        with self.workflow() as flow:
            steps = [
                here(task_id=f"n{i}") if i % 2 == 0 else there(task_id=f"n{i}", item=i) for i in range(2 * size + 1)
            ]
            self.library.chain(*steps)
        return self.timed(flow, 2 * size + 1, f"n{2 * size}") / size * 1e6


class LoneRun(Engine):
    """A whole `execute()` of a one-task workflow in the pool, again and again: µs a run."""

    def run(self, size: int) -> float:
        task = self.library.task(noop)
        flows = []
        for _ in range(size):
            with self.workflow() as flow:
                task(task_id="only")
            flows.append(flow)
        return stopwatch(lambda: [self.execute(flow, 1) for flow in flows]) / size * 1e6


class Bodies(Engine):
    """Calls the body in a plain loop in this process: what no engine can beat on one core; µs a call."""

    def __init__(self, body: str = "noop") -> None:
        self._body: Callable[[Any], Any] = BODIES[body]

    def run(self, size: int) -> float:
        body = self._body

        def work() -> None:
            for item in range(size):
                body(item)

        return stopwatch(work) / size * 1e6
