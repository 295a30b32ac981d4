"""Owns the kinds of members that the rows of *No cliffs* are about, as users write them, and the check of each run.

Nothing here is timed or compared; functions and classes that must belong to a program's own file are in script.py.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bodies import give, log, noop, say, take
from contest import stopwatch
from drain import Drain
from engines import Engine, results
from processor import watched

from graflow_fast import task
from graflow_fast.core.task import TaskWrapper
from graflow_fast.trace.noop import NoopTracer

LIST = list(range(10))


class Counting(NoopTracer):
    """A tracer that counts what starts and what ends, as a progress bar would."""

    def __init__(self) -> None:
        super().__init__(enable_runtime_graph=False)
        self.started = self.ended = 0

    def clone(self, trace_id: str) -> Counting:
        """Count the branches of groups as well."""
        return self

    def on_task_start(self, task: Any, context: Any) -> None:
        self.started += 1

    def on_task_end(self, task: Any, context: Any, result: Any = None, error: Exception | None = None) -> None:
        self.ended += 1


def in_loop(size: int) -> list[Any]:
    """A decorated function for each member."""
    members = []
    for number in range(size):

        @task(f"n{number}")
        def body() -> None:
            pass

        members.append(body)
    return members


def closures(size: int) -> list[Any]:
    """A closure for each member, which remembers its number."""

    def make(number: int) -> Callable[[], int]:
        def body() -> int:
            return number

        return body

    return [task(f"n{number}")(make(number)) for number in range(size)]


def lambdas(size: int) -> list[Any]:
    """A lambda for each member."""
    return [task(f"n{number}")(lambda: None) for number in range(size)]


def adding(size: int) -> list[Any]:
    """Members that add to one number which all of them share."""

    def body(ctx: Any) -> None:
        ctx.get_channel().atomic_add("count", 1)

    return instances(task(inject_context=True)(body), size)


def enqueueing(size: int) -> list[Any]:
    """Members that define a function which remembers something, and enqueue it as a task."""

    def body(ctx: Any, number: int) -> None:
        @task(f"more{number}")
        def more() -> int:
            return number

        ctx.next_task(more)

    return numbered(task(inject_context=True)(body), size)


def iterating(size: int) -> list[Any]:
    """Members that run twice."""

    def body(ctx: Any) -> int:
        if ctx.cycle_count < 2:
            ctx.next_iteration()
        return int(ctx.cycle_count)

    return instances(task(inject_context=True)(body), size)


def instances(definition: Any, size: int, **bound: Any) -> list[Any]:
    """Members that are instances of one task, with the same arguments."""
    return [definition(task_id=f"n{number}", **bound) for number in range(size)]


def numbered(definition: Any, size: int) -> list[Any]:
    """Members that are instances of one task, each with its number."""
    return [definition(task_id=f"n{number}", number=number) for number in range(size)]


@dataclass(frozen=True)
class Kind:
    """How members of a kind are made, with what options of the run, and how to see that all of them ran."""

    members: Callable[[int], list[Any]]
    options: Mapping[str, Any] = field(default_factory=dict)
    prints: bool = False
    traced: bool = False
    check: Callable[[Any, int], bool] = lambda context, size: True


def _has(context: Any, name: str, wanted: Any) -> bool:
    return bool(context.get_result(name) == wanted)


KINDS: dict[str, Kind] = {
    "instances": Kind(lambda size: instances(task(noop), size)),
    "wrappers": Kind(lambda size: [TaskWrapper(f"n{number}", noop) for number in range(size)]),
    "definitions": Kind(lambda size: [task(f"n{number}")(noop) for number in range(size)]),
    "in a loop": Kind(in_loop),
    "closures": Kind(closures, check=lambda context, size: _has(context, f"n{size - 1}", size - 1)),
    "lambdas": Kind(lambdas),
    "take": Kind(lambda size: instances(task(take), size, items=LIST)),
    "give": Kind(
        lambda size: numbered(task(give), size),
        check=lambda context, size: _has(context, f"n{size - 1}", give(size - 1)),
    ),
    "say": Kind(lambda size: instances(task(say), size), prints=True),
    "log": Kind(lambda size: instances(task(log), size), prints=True),
    "timeout": Kind(lambda size: instances(task(timeout=60)(noop), size)),
    "memory_limit": Kind(lambda size: instances(task(memory_limit="4GB")(noop), size)),
    "timeout of the run": Kind(lambda size: instances(task(noop), size), {"timeout": 60}),
    "memory_limit of the run": Kind(lambda size: instances(task(noop), size), {"memory_limit": "4GB"}),
    "max_concurrency": Kind(lambda size: instances(task(max_concurrency=2)(noop), size)),
    "adding": Kind(adding, check=lambda context, size: bool(context.get_channel().get("count") == size)),
    "enqueueing": Kind(enqueueing, check=lambda context, size: _has(context, f"more{size - 1}", size - 1)),
    "iterating": Kind(iterating, check=lambda context, size: _has(context, f"n{size - 1}", 2)),
    "traced": Kind(lambda size: instances(task(noop), size), traced=True),
    "needed": Kind(lambda size: instances(task(noop), size), {"keep_results": "needed"}),
}


class Members(Engine):
    """A group whose members are of one kind: µs a member."""

    def __init__(self, kind: str, executor: str = "process") -> None:
        super().__init__(executor=executor)
        self._kind = KINDS[kind]
        self._options.update(self._kind.options)
        self._drain = Drain() if self._kind.prints else None
        if self._kind.prints:
            logging.basicConfig(stream=sys.stderr, level=logging.INFO)
            logging.getLogger("graflow_fast").setLevel(logging.WARNING)  # only the lines of members are counted

    def run(self, size: int) -> Mapping[str, float]:
        tracer = Counting() if self._kind.traced else None
        flows: list[Any] = []

        def build() -> None:
            with self.library.workflow("bench", tracer=tracer) as flow:
                self.library.parallel(*self._kind.members(size))
            flows.append(flow)

        building = stopwatch(build)
        answers: list[tuple[Any, Any]] = []
        running, spent = watched(lambda: answers.append(self.execute(flows[0], size)), size)
        context = answers[0][1]
        if results(context) < size or not self._kind.check(context, size):
            raise RuntimeError(f"not all of {size} members did what they should")
        if self._drain is not None and (lines := self._drain.lines()) != size:
            raise RuntimeError(f"{lines} lines of {size} were printed")
        if tracer is not None and not size <= tracer.ended <= tracer.started <= size + 1:
            raise RuntimeError(f"the tracer saw {tracer.started} starts and {tracer.ended} ends of {size}")
        return {"value": running / size * 1e6, "building, µs each": building / size * 1e6, **spent}

    def close(self) -> None:
        if self._drain is not None:
            self._drain.close()


class Batches(Engine):
    """Groups of ten, one after another: µs a member."""

    def __init__(self) -> None:
        super().__init__(executor="process")

    def run(self, size: int) -> float:
        member = self.library.task(noop)
        with self.workflow() as flow:
            groups = [
                self.library.parallel(*[member(task_id=f"n{number}") for number in range(first, first + 10)])
                for first in range(0, size, 10)
            ]
            self.library.chain(*groups)
        return self.timed_group(flow, size) / size * 1e6


class Pairs(Engine):
    """A group whose members are chains of two: µs a task, of which there are two a member."""

    def __init__(self) -> None:
        super().__init__(executor="process")

    def run(self, size: int) -> float:
        step = self.library.task(noop)
        with self.workflow() as flow:
            self.library.parallel(
                *[step(task_id=f"n{number}") >> step(task_id=f"n{number + 1}") for number in range(0, size, 2)]
            )
        return self.timed_group(flow, size) / size * 1e6
