"""A tracer is shown members of groups whatever runs them: the same calls, with contexts that say the same."""

from __future__ import annotations

import time
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.trace import NoopTracer

EXECUTORS = ("inline", "thread", "process")


class Listening(NoopTracer):
    """Keeps what it is told, with what contexts say at that moment; clones share it."""

    def __init__(self, told: list[tuple[Any, ...]] | None = None) -> None:
        super().__init__(enable_runtime_graph=False)
        self.told = [] if told is None else told
        self.started: set[str] = set()

    def clone(self, trace_id: str) -> Listening:
        return Listening(self.told)

    def on_task_start(self, task: Any, context: Any) -> None:
        assert context.tracer is self
        self.started.add(task.task_id)
        self.told.append(("start", task.task_id, self.seen(context)))

    def on_task_end(self, task: Any, context: Any, result: Any = None, error: Exception | None = None) -> None:
        assert context.tracer is self
        assert task.task_id in self.started, "another clone was told of its start"
        self.told.append(("end", task.task_id, self.seen(context), repr(error)))

    def seen(self, context: Any) -> Any:
        """What is looked at."""


class Shallow(Listening):
    """Looks at what is there without the branch's record."""

    def seen(self, context: Any) -> Any:
        return context.session_id.partition("_")[2], context.current_task_id


class Deep(Listening):
    """Looks at everything, and writes."""

    def seen(self, context: Any) -> Any:
        channel = context.get_channel()
        return context.session_id.partition("_")[2], context.max_steps, channel.get("before"), context.steps >= 0


@task(inject_context=True)
def first(context: Any, number: int) -> int:
    """Leaves something for its successor."""
    context.get_channel().set("own", number)
    return number


@task(inject_context=True)
def second(context: Any, number: int) -> int:
    """Reads what its predecessor left, and asks for one more."""
    assert context.get_channel().get("own") == number
    context.next_task(third(task_id=f"third{number}", number=number))
    return number + 1


@task
def third(number: int) -> int:
    """Fails once in a while."""
    if number == 2:
        raise ValueError("two")
    return number


def run(executor: str, tracer: Listening) -> Any:
    with workflow("w", tracer=tracer) as flow:
        members = []
        for number in range(4):
            begin = first(task_id=f"first{number}", number=number)
            begin >> second(task_id=f"second{number}", number=number)
            members.append(begin)
        parallel(*members).set_group_name("group").with_execution(policy="best_effort")
    _, context = flow.execute(
        "group", ret_context=True, executor=executor, max_workers=2, initial_channel={"before": 7}
    )
    return context


@pytest.mark.parametrize("kind", [Shallow, Deep])
def test_members_are_told_alike_whatever_runs_them(kind: type[Listening]) -> None:
    told = {}
    for executor in EXECUTORS:
        tracer = kind()
        context = run(executor, tracer)
        told[executor] = sorted(tracer.told)
        assert context.get_result("second1") == 2, executor
    assert told["process"] == told["inline"]
    assert told["thread"] == told["inline"]
    assert len(told["inline"]) == 2 * (1 + 4 * 3)
    ends = {entry[1]: entry[3] for entry in told["inline"] if entry[0] == "end"}
    assert ends["third2"] == "ValueError('two')"
    assert ends["third1"] == "None"


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_context_that_a_tracer_keeps_is_complete_after_the_run(executor: str) -> None:
    kept: list[Any] = []

    class Keeping(Listening):
        def clone(self, trace_id: str) -> Keeping:
            return Keeping(self.told)

        def seen(self, context: Any) -> Any:
            kept.append(context)

    final = run(executor, Keeping())
    members = {context.session_id.rpartition("_")[2]: context for context in kept if context.parent_context}
    assert sorted(members) == ["first0", "first1", "first2", "first3"]
    for name, context in members.items():
        number = int(name[-1])
        assert context.trace_id == final.trace_id
        assert context.get_channel().get("before") == 7
        assert context.scope_name.endswith(name)
        assert context.get_channel().get(f"first{number}.__result__") == number  # also of the one that failed


def test_tasks_that_wait_cost_a_tracer_nothing() -> None:
    """What is told of the queue doesn't grow with the queue."""
    queued: list[str] = []

    class Queue(NoopTracer):
        def on_task_queued(self, task: Any, context: Any) -> None:
            queued.append(task.task_id)

    @task
    def noop() -> None:
        pass

    def seconds(size: int) -> float:
        with workflow("w", tracer=Queue()) as flow:
            begin = noop(task_id="begin")
            for number in range(size):
                begin >> noop(task_id=f"n{number}")
        queued.clear()
        started = time.process_time()
        flow.execute(executor="inline")
        assert queued == [f"n{number}" for number in range(size)]
        return (time.process_time() - started) / size

    few = min(seconds(300) for _ in range(3))
    assert min(seconds(6000) for _ in range(2)) < 4 * few
