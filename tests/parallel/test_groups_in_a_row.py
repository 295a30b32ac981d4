"""Groups one after another share what workers know, but nothing that may have changed between them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import RetryPolicy, chain, parallel, task, workflow
from graflow_fast._places.process.sending import Sending
from graflow_fast.core.group_policy import GroupExecutionPolicy
from graflow_fast.trace.noop import NoopTracer


class State:
    """What a task captures, and what changes it."""

    def __init__(self) -> None:
        self.values = [0]

    def change(self, *_: Any) -> None:
        self.values[0] += 1

    def task(self) -> Any:
        values = self.values  # a module that can be imported would be another matter

        @task
        def see() -> int:
            return values[0]

        return see


@task(inject_context=True)
def ask(ctx: Any) -> Any:
    return ctx.get_channel().get("asked", "nothing")


@task(inject_context=True)
def told(ctx: Any, given: Any = None) -> Any:
    return given


@task(inject_context=True)
def write(ctx: Any, key: str, value: Any) -> None:
    ctx.get_channel().set(key, value)


def group(body: Any, name: str) -> Any:
    return parallel(*[body(task_id=f"{name}{number}") for number in range(3)])


def results(context: Any, name: str) -> list[Any]:
    return [context.get_result(f"{name}{number}") for number in range(3)]


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the views that workers are told of."""
    told: list[int] = []
    tell = Sending._tell_view

    def counted(self: Sending, content: tuple[Any, ...]) -> int:
        told.append(1)
        return tell(self, content)

    monkeypatch.setattr(Sending, "_tell_view", counted)
    return told


def test_groups_that_see_the_same_share_a_view(views: list[int]) -> None:
    with workflow("same") as flow:
        chain(*[group(told, f"g{number}_") for number in range(20)])
    _, context = flow.execute(executor="process", ret_context=True)
    assert results(context, "g19_") == [None] * 3
    assert len(views) == 1


def test_what_was_asked_in_one_group_is_asked_again_in_the_next() -> None:
    with workflow("asked") as flow:
        chain(
            group(ask, "before"),
            write(task_id="write", key="asked", value=1),
            group(ask, "after"),
            write(task_id="again", key="asked", value=2),
            group(ask, "last"),
        )
    _, context = flow.execute(executor="process", ret_context=True)
    assert [results(context, name) for name in ("before", "after", "last")] == [["nothing"] * 3, [1] * 3, [2] * 3]


def test_what_groups_are_told_is_what_there_is() -> None:
    with workflow("told") as flow:
        chain(
            group(told, "before"),
            write(task_id="write", key="given", value=1),
            group(told, "after"),
            group(told, "same"),
            write(task_id="again", key="given", value=[2]),
            group(told, "last"),
        )
    _, context = flow.execute(executor="process", ret_context=True)
    seen = [results(context, name) for name in ("before", "after", "same", "last")]
    assert seen == [[None] * 3, [1] * 3, [1] * 3, [[2]] * 3]


def test_what_members_write_the_next_group_sees() -> None:
    with workflow("written") as flow:
        writers = [write(task_id=f"w{number}", key="asked", value=number) for number in range(3)]
        chain(group(told, "first"), parallel(*writers), group(ask, "after"))
    _, context = flow.execute(executor="process", ret_context=True)
    assert results(context, "after") == [2, 2, 2]


class Changing(GroupExecutionPolicy):
    """A policy of the program's own, which is code of the program's."""

    def __init__(self, state: State) -> None:
        self.state = state

    def on_group_finished(self, *args: Any) -> None:
        self.state.change()


class Listening(NoopTracer):
    """A tracer that changes what tasks capture."""

    def __init__(self, state: State) -> None:
        super().__init__(enable_runtime_graph=False)
        self.state = state

    def on_parallel_group_end(self, *args: Any) -> None:
        self.state.change()


class Patient(RetryPolicy):
    """A retry policy that does."""

    state: State

    def get_delay(self, *args: Any, **kwargs: Any) -> float:
        self.state.change()
        return 0.0


def by_a_policy(state: State, first: Any) -> list[Any]:
    first.with_execution(policy=Changing(state))
    return [first]


def by_a_tracer(state: State, first: Any) -> list[Any]:
    return [first]


def by_a_body_of_this_process(state: State, first: Any) -> list[Any]:
    return [first, task("changes", handler="direct")(state.change)]


def by_a_signal(state: State, first: Any) -> list[Any]:
    program = os.getpid()
    kills = task("kills")(lambda: os.kill(program, signal.SIGUSR1))
    return [first, parallel(kills, task("beside")(lambda: None))]


def by_a_retry_policy(state: State, first: Any) -> list[Any]:
    policy = Patient(max_retries=1)
    policy.state = state

    @task("fails once", inject_context=True, retry_policy=policy)
    def fails_once(ctx: Any) -> None:
        if ctx.retry_count == 0:
            raise ValueError("not yet")

    return [first, parallel(fails_once, task("beside")(lambda: None))]


WAYS = [by_a_policy, by_a_tracer, by_a_body_of_this_process, by_a_signal, by_a_retry_policy]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_was_changed_between_two_groups_is_seen(way: Callable[[State, Any], list[Any]]) -> None:
    state = State()
    before = signal.signal(signal.SIGUSR1, state.change)
    if way is not by_a_signal:
        signal.signal(signal.SIGUSR1, before)
    try:
        with workflow("changed", tracer=Listening(state) if way is by_a_tracer else None) as flow:
            see = state.task()
            chain(*way(state, group(see, "first")), group(see, "second"))
        _, context = flow.execute(executor="process", ret_context=True)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert results(context, "first") == [0, 0, 0]
    assert results(context, "second") == [1, 1, 1]


def test_what_a_thread_changes_between_two_groups_is_seen(tmp_path: Path) -> None:
    begun, changed = tmp_path / "begun", tmp_path / "changed"
    state, over = State(), threading.Event()

    def wait(begun: Path, changed: Path) -> None:
        begun.touch()
        until_there(changed)

    def beside() -> None:
        until_there(begun)
        state.change()
        changed.touch()
        over.wait(60)

    thread = threading.Thread(target=beside)
    with workflow("threaded") as flow:
        see = state.task()
        waits = task("waits")(wait)(task_id="wait", begun=begun, changed=changed)
        chain(group(see, "first"), parallel(waits, task("beside")(lambda: None)), group(see, "second"))
    thread.start()
    try:
        _, context = flow.execute(executor="process", ret_context=True)
    finally:
        over.set()
        thread.join()
    assert (results(context, "first"), results(context, "second")) == ([0, 0, 0], [1, 1, 1])


def until_there(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end, f"nobody made {path}"
        os.sched_yield()
