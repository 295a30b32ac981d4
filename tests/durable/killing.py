"""Runs programs in forked children that are killed, and resumes them; what each body did stands in a file outside.

Called as ``killing.py FOLDER EXECUTOR STEP [SHAPE ...]``: kills a run before and after entries of its journal, up to
five times in one run, and prints what went wrong as JSON lines. A program of its own: it forks, so it has no threads.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graflow_fast._run.driver
import graflow_fast._run.journal.opening
import graflow_fast._run.journal.replay
import graflow_fast._run.maps.kept
import graflow_fast._run.maps.restored  # noqa: F401 - once for all children
from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.decorators import task
from graflow_fast.core.retry import RetryPolicy
from graflow_fast.core.task_context import TaskExecutionContext
from graflow_fast.core.workflow import WorkflowContext, workflow

Note = Callable[[str], None]


def chain(note: Note) -> WorkflowContext:
    """Tasks one after the other, with values that could be shared, and the channel."""
    with workflow("chain") as made:

        @task(inject_context=True)
        def first(ctx: TaskExecutionContext) -> list[int]:
            note("first")
            channel = ctx.get_channel()
            channel.set("kept", {"n": [1]})
            channel.append("list", {"a": 1})
            channel.set("gone", 1)
            return [1, 2]

        @task(inject_context=True)
        def second(ctx: TaskExecutionContext) -> list[int]:
            note("second")
            channel = ctx.get_channel()
            found = ctx.get_result("first")
            found.append(3)
            channel.get("kept")["n"].append(2)
            channel.append("list", 2)
            channel.prepend("list", 0)
            channel.delete("gone")
            return list(found)

        @task(inject_context=True)
        def third(ctx: TaskExecutionContext) -> Any:
            note("third")
            channel = ctx.get_channel()
            return [ctx.get_result("first"), ctx.get_result("second"), channel.get("kept"), channel.get("list")]

        first >> second >> third
    return made


def group(note: Note) -> WorkflowContext:
    """Nested groups whose members have successors, and a failed one that is tolerated."""
    with workflow("group") as made:

        @task(inject_context=True)
        def leaf(ctx: TaskExecutionContext, n: int) -> int:
            note(ctx.task_id)
            ctx.get_channel().append("order", n)
            if n == 3:
                raise ValueError("three")
            return n

        @task
        def start() -> str:
            note("start")
            return "s"

        @task(inject_context=True)
        def behind(ctx: TaskExecutionContext) -> list[Any]:
            note("behind")
            return [ctx.get_result(f"leaf{n}") for n in range(6) if n != 3] + ctx.get_channel().get("order")

        leaves = [leaf(task_id=f"leaf{n}", n=n) for n in range(6)]
        tolerant = (leaves[2] | leaves[3] | leaves[4]).with_execution(policy="best_effort")
        start >> (leaves[0] | (leaves[1] >> tolerant) | leaves[5]) >> behind
    return made


def control(note: Note) -> WorkflowContext:
    """A loop by iterations, a goto, a task made at run time with a closure, a termination."""
    with workflow("control") as made:

        @task(inject_context=True)
        def count(ctx: TaskExecutionContext, data: Any = None) -> int:
            note(f"count {ctx.cycle_count}")
            n = (data or 0) + 1
            if n < 3:
                ctx.next_iteration(n)
            return n

        @task(inject_context=True)
        def make(ctx: TaskExecutionContext) -> str:
            note("make")
            secret = ctx.get_result("count") * 7

            @task(id="made")
            def closure() -> int:
                note("made")
                return secret

            ctx.next_task(closure)
            return "m"

        @task(inject_context=True)
        def jump(ctx: TaskExecutionContext) -> str:
            note(f"jump {ctx.cycle_count}")
            if ctx.cycle_count < 3:
                ctx.next_task(ctx.graph.get_node("count"), goto=True)
            else:
                ctx.terminate_workflow("enough")
            return "j"

        @task
        def never() -> None:
            note("never")

        count >> make >> jump >> never
    return made


def retries(note: Note) -> WorkflowContext:
    """Attempts that fail with delays, alone and in a group."""
    with workflow("retries") as made:
        policy = RetryPolicy(max_retries=3, initial_interval=0.001, jitter=False)

        @task(inject_context=True, retry_policy=policy)
        def shaky(ctx: TaskExecutionContext, n: int) -> list[int]:
            note(f"{ctx.task_id} {ctx.retry_count}")
            ctx.get_channel().append("tries", n)
            if ctx.retry_count < 2:
                raise ValueError(f"try {ctx.retry_count}")
            return [n, ctx.retry_count]

        @task(inject_context=True)
        def behind(ctx: TaskExecutionContext) -> list[Any]:
            note("behind")
            return [ctx.get_result(f"s{n}") for n in range(3)] + ctx.get_channel().get("tries")

        tasks = [shaky(task_id=f"s{n}", n=n) for n in range(3)]
        tasks[0] >> (tasks[1] | tasks[2]) >> behind
    return made


def graph(note: Note) -> WorkflowContext:
    """A graph by edges whose tasks run beside each other."""
    with workflow("graph", schedule="parallel") as made:

        @task(inject_context=True)
        def node(ctx: TaskExecutionContext, n: int) -> int:
            note(ctx.task_id)
            ctx.get_channel().set(f"k{n}", [n])
            if n == 5:
                return sum(ctx.get_result(f"n{m}") for m in range(1, 5))
            return n

        nodes = [node(task_id=f"n{n}", n=n) for n in range(6)]
        for middle in nodes[1:5]:
            nodes[0] >> middle >> nodes[5]
    return made


def maps(note: Note) -> WorkflowContext:
    """Maps over a task's result and in a group, whose items fail, are tried again, write, and ask for tasks."""
    with workflow("maps") as made:
        policy = RetryPolicy(max_retries=2, initial_interval=0.001, jitter=False)

        @task
        def load() -> list[list[int]]:
            note("load")
            return [[n] for n in range(5)]

        @task(inject_context=True, retry_policy=policy)
        def shaky(ctx: TaskExecutionContext, item: list[int]) -> list[int]:
            note(f"{ctx.task_id} {ctx.retry_count}")
            ctx.get_channel().append("tries", item[0])
            if item[0] % 2 and ctx.retry_count < 2:
                raise ValueError(f"try {ctx.retry_count}")
            return [item[0], ctx.retry_count]

        @task
        def fails(a: int, b: int) -> int:
            note(f"fails {a}")
            if a == 2:
                raise ValueError("two")
            return a * b

        @task(inject_context=True)
        def asks(ctx: TaskExecutionContext, n: int) -> int:
            note(ctx.task_id)
            if n == 1:

                @task(id="made")
                def closure() -> int:
                    note("made")
                    return n

                ctx.next_task(closure)
            return n

        @task(inject_context=True)
        def behind(ctx: TaskExecutionContext) -> list[Any]:
            note("behind")
            return [repr(ctx.get_result(name)) for name in ("shaky_map", "kept", "asking", "made")]

        kept = fails.map(range(4), (n * 10 for n in range(4)), on_error="keep", task_id="kept")
        load >> shaky.map(load) >> (kept | asks.map(range(3), task_id="asking", chunk=2)) >> behind
    return made


SHAPES = {made.__name__: made for made in (chain, group, control, retries, graph, maps)}


def outcome_of(context: ExecutionContext, result: Any) -> dict[str, Any]:
    """Return what of a run must not depend on kills."""
    channel = context.channel
    values = {key: repr(channel.get(key)) for key in sorted(channel.keys())}
    return {
        "result": repr(result),
        "channel": values,
        "completed": sorted(context.completed_tasks)
        if context.settings.schedule == "parallel"
        else context.completed_tasks,
        "steps": context.steps,
        "reason": context.stop_reason,
        "cycles": dict(sorted(context.cycle_controller.cycle_counts.items())),
    }


def note_in(noted: str, text: str) -> None:
    """Note that a body has begun, in whatever process."""
    with open(noted, "a") as file:
        file.write(f"{text}\n")


class Killer:
    """Kills this process at the n-th entry: before it is written (even) or after (odd)."""

    def __init__(self, point: int) -> None:
        from graflow_fast._run.journal.journal import Journal

        self._left = point
        Journal.watch = staticmethod(lambda entry, is_written: self._step())

    def _step(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def run_once(store: Path, shape: str, executor: str, noted: Path, point: int | None) -> int | None:
    """Run or resume in a child; return the signal that it died of, None when it ended."""
    child = os.fork()
    if child == 0:
        try:
            warnings.simplefilter("ignore")
            made = SHAPES[shape](functools.partial(note_in, str(noted)))
            if point is not None:
                Killer(point)
            options: dict[str, Any] = {"durable": store, "run": "r"}
            result, context = made.execute(executor=executor, max_workers=2, ret_context=True, **options)
            Path(f"{noted}.json").write_text(json.dumps(outcome_of(context, result)))
        except BaseException:
            Path(f"{noted}.error").write_text(traceback.format_exc())
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else None


def complain(shape: str, executor: str, **what: Any) -> None:
    """Say what is wrong."""
    print(json.dumps({"shape": shape, "executor": executor, **what}), flush=True)


def done_at(noted: Path) -> Counter[str]:
    """Return how often each body has begun so far."""
    return Counter(noted.read_text().splitlines()) if noted.exists() else Counter()


def check(
    folder: Path, shape: str, executor: str, points: list[int], plain: dict[str, Any], bodies: Counter[str]
) -> bool:
    """Kill a run at each of the points in turn; return whether it was killed at all of them."""
    store, noted = folder / "runs.db", folder / "noted"
    kills = 0
    for point in [*points, None]:
        died = run_once(store, shape, executor, noted, point)
        kills += died == signal.SIGKILL
        if died is None:
            break
    error, found = Path(f"{noted}.error"), Path(f"{noted}.json")
    if error.exists() or not found.exists():
        complain(shape, executor, points=points, error=error.read_text() if error.exists() else "no outcome")
        return False
    outcome = json.loads(found.read_text())
    if outcome != plain:
        complain(shape, executor, points=points, outcome=outcome, instead_of=plain)
    extra = done_at(noted) - bodies
    missing = bodies - done_at(noted)
    under_way = 1 if executor == "inline" else 8  # bodies that have ended, but whose reports were not taken in
    if missing or sum(extra.values()) > kills * under_way:
        complain(shape, executor, points=points, extra=extra, missing=missing)
    return kills == len(points)


def check_shape(folder: Path, shape: str, executor: str, step: int) -> int:
    """Kill runs of a shape at each ``step``-th point; return how many were killed at all points."""
    run_once(folder / "never killed.db", shape, executor, folder / "plain", None)
    plain = json.loads((folder / "plain.json").read_text())
    bodies = done_at(folder / "plain")
    checked = 0
    for point in range(step > 1, 1000, step):
        place = folder / str(point)
        place.mkdir()
        more = [3, 2, 1, 0] if point % 2 else []
        if not check(place, shape, executor, [point, *more], plain, bodies) and point > 8:
            break
        checked += 1 + len(more)
    return checked


def main() -> None:
    """Check the shapes named, all if none is: FOLDER EXECUTOR STEP [SHAPE ...]."""
    folder, executor, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    kills = 0
    for shape in sys.argv[4:] or SHAPES:
        (folder / shape).mkdir()
        kills += check_shape(folder / shape, shape, executor, step)
    print(json.dumps({"kills": kills}))


main()
