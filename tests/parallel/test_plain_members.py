"""Members and steps that run in this process without a record of their attempt: nothing tells them from others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.core import registry
from graflow_fast.exceptions import ParallelGroupError

HERE = ("inline", "thread")


def members(*bodies: Any, **options: Any) -> tuple[Any, Any]:
    """Run a group of such bodies, each called as its name says; return the result and the context."""
    with workflow("members") as wf:
        parallel(*(task(id=body.__name__)(body) for body in bodies)).set_group_name("g")
    found: tuple[Any, Any] = wf.execute(ret_context=True, **options)
    return found


@pytest.mark.parametrize("executor", HERE)
def test_results_and_counts_are_there_after_the_join(executor: str) -> None:
    def a() -> int:
        return 1

    def b() -> dict[str, int]:
        return {"b": 2}

    def c() -> None:
        return None

    _, context = members(a, b, c, executor=executor)
    assert [context.get_result(name) for name in "abc"] == [1, {"b": 2}, None]
    assert context.completed_tasks == ["g"]
    assert [context.cycle_controller.get_cycle_count(name) for name in "abc"] == [1, 1, 1]


@pytest.mark.parametrize("executor", HERE)
def test_a_member_that_asks_for_its_context_has_its_branch(executor: str) -> None:
    """Though its function takes none: what it writes is in its own log, and what it enqueues follows in its branch."""
    order = []

    def a() -> int:
        order.append("a")
        context = registry.running.task_context
        context.get_channel().set("seen", "a")
        context.next_task(task(id="later")(later))
        return 1

    def later() -> None:
        order.append("later")

    def b() -> object:
        return registry.running.task_context.get_channel().get("seen")

    _, context = members(a, b, executor=executor, max_workers=1)
    assert order == ["a", "later"]
    assert context.get_result("b") is None, "members don't see each other"
    assert context.channel.get("seen") == "a"
    assert context.get_result("a") == 1


@pytest.mark.parametrize("executor", HERE)
def test_open_parameters_come_from_the_channel(executor: str) -> None:
    with workflow("open") as wf:

        @task
        def load() -> int:
            return 20

        @task
        def twice(load: int, other: int = 3) -> int:
            return load * 2 + other

        load >> parallel(twice(task_id="x"), twice(task_id="y", other=5))
    _, context = wf.execute(executor=executor, ret_context=True)
    assert (context.get_result("x"), context.get_result("y")) == (43, 45)


@pytest.mark.parametrize("executor", HERE)
def test_a_member_that_fails_fails_alone(executor: str) -> None:
    def a() -> int:
        return 1

    def b() -> None:
        raise ValueError("no")

    def c() -> int:
        return 3

    with pytest.raises(ParallelGroupError) as raised:
        members(a, b, c, executor=executor)
    assert [name for name, _ in raised.value.failed_tasks] == ["b"]
    assert raised.value.successful_tasks == ["a", "c"]


@pytest.mark.parametrize("executor", HERE)
def test_prints_come_in_the_order_of_the_members(executor: str, capsys: pytest.CaptureFixture[str]) -> None:
    second_printed = threading.Event()

    def first() -> None:
        if executor == "thread":
            assert second_printed.wait(20)
        print("first")

    def second() -> None:
        print("second")
        second_printed.set()

    def third() -> None:
        print("third")

    members(first, second, third, executor=executor, max_workers=2)
    assert capsys.readouterr().out == "first\nsecond\nthird\n"


def test_what_a_member_printed_is_shown_while_later_ones_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Not at the join only."""
    seen: list[str] = []
    second_ended = threading.Event()

    def first() -> None:
        second_ended.wait(20)
        time.sleep(0.06)  # a long one; its end is what is waited for below

    def second() -> None:
        print("second")
        second_ended.set()

    def third() -> None:
        deadline = time.monotonic() + 20
        while not seen and time.monotonic() < deadline:
            seen.extend(capsys.readouterr().out.split())
            time.sleep(0.001)

    members(first, second, third, executor="thread", max_workers=3)
    assert seen == ["second"]


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Holds a body that nobody waits for any more; it ends with the test."""
    event = threading.Event()
    yield event
    event.set()


def test_a_member_that_cancels_does_not_wait_for_others_in_threads(held: threading.Event) -> None:
    begun = threading.Event()

    def cancels() -> None:
        assert begun.wait(20)
        registry.running.task_context.cancel_workflow("enough")

    def waits() -> None:
        begun.set()
        held.wait(20)

    before = time.monotonic()
    with pytest.raises(Exception, match="enough"):
        members(cancels, waits, executor="thread", max_workers=2)
    assert time.monotonic() - before < 15


@pytest.mark.parametrize("executor", HERE)
def test_the_context_of_the_run_speaks_for_the_step_that_runs(executor: str) -> None:
    """In the calling thread or in another: who has it may enqueue by it."""
    kept: list[Any] = []
    with workflow("steps") as wf:

        @task(inject_context=True)
        def first(ctx: Any) -> None:
            kept.append(ctx.execution_context)
            assert kept[0].current_task_context is ctx

        @task
        def second() -> None:
            kept[0].next_task(task(id="third")(lambda: 3))

        first >> second
    _, context = wf.execute(executor=executor, ret_context=True)
    assert context.completed_tasks == ["first", "second", "third"]
    assert context.get_result("third") == 3


@pytest.mark.parametrize("executor", HERE)
def test_the_context_of_the_run_names_the_group_while_its_members_run(executor: str) -> None:
    names: list[Any] = []
    kept: list[Any] = []
    with workflow("names") as wf:

        @task(inject_context=True)
        def first(ctx: Any) -> None:
            kept.append(ctx.execution_context)
            names.append(kept[0].current_task_id)

        @task
        def member() -> None:
            names.append(kept[0].current_task_id)

        @task
        def last() -> None:
            names.append(kept[0].current_task_id)

        first >> parallel(member(task_id="a"), member(task_id="b")).set_group_name("g") >> last
    wf.execute(executor=executor)
    assert names == ["first", None, None, "last"]


@pytest.mark.parametrize("executor", HERE)
def test_a_group_before_there_is_a_pool(executor: str) -> None:
    """One member of a group that began in this process goes to the pool: the branch's earlier tasks are told of."""
    with workflow("late") as wf:

        @task
        def a() -> int:
            return 1

        @task(handler="process")
        def b() -> int:
            return 2

        @task
        def c(a: int, b: int) -> int:
            return a + b

        parallel(a, b) >> c
    assert wf.execute(executor=executor) == 3
