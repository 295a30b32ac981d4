"""Async bodies in all their forms, wherever they run."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import signal
import threading
import traceback
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import GraflowRuntimeError, GraflowWorkflowCanceledError, TaskTimeoutError

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])

user = contextvars.ContextVar("user", default="nobody")


async def plus(x: int, y: int) -> int:
    await asyncio.sleep(0)
    return x + y


class Adds:
    """An object whose call is async."""

    def __init__(self, number: int) -> None:
        self.number = number

    async def __call__(self, x: int) -> int:
        return await plus(x, self.number)

    async def method(self, x: int) -> int:
        return await plus(x, self.number)


class Later:
    """Something that is to be awaited, and no coroutine."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __await__(self) -> Any:
        yield from asyncio.sleep(0).__await__()
        return self.value


def returns_a_coroutine(x: int) -> Any:
    return plus(x, 1)


def returns_something_awaitable(x: int) -> Any:
    return Later(x + 1)


FORMS = {
    "function": plus,
    "partial": functools.partial(plus, y=1),
    "object": Adds(1),
    "method": Adds(1).method,
    "returns a coroutine": returns_a_coroutine,
    "returns something awaitable": returns_something_awaitable,
}


@EXECUTORS
@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_an_async_body(form: str, executor: str) -> None:
    with workflow("forms") as wf:
        body = task("form")(FORMS[form])

        @task
        def load() -> int:
            return 40

        @task
        def store(body: int) -> int:
            return body + 1

        load >> body(task_id="body", x=41, **({"y": 1} if form == "function" else {})) >> store
        assert wf.execute(executor=executor) == 43


@EXECUTORS
def test_members_maps_and_the_context(executor: str) -> None:
    with workflow("all") as wf:

        @task(inject_context=True)
        async def member(ctx: Any, number: int) -> int:
            await asyncio.sleep(0)
            ctx.get_channel().append("seen", number)
            return number * 2

        @task
        async def square(x: int, times: int = 1) -> int:
            await asyncio.sleep(0)
            return x * x * times

        @task(inject_context=True)
        async def total(ctx: Any, squares: list[int]) -> Any:
            return sum(squares), ctx.get_channel().get("seen"), ctx.get_result("b")

        group = parallel(*(member(task_id=name, number=n) for n, name in enumerate("abc")))
        group >> square.map(range(4), task_id="squares") >> total
        assert wf.execute(executor=executor, max_workers=2) == (14, [0, 1, 2], 2)


@EXECUTORS
def test_items_one_of_which_fails(executor: str) -> None:
    with workflow("failing") as wf:

        @task
        async def item(x: int) -> int:
            await asyncio.sleep(0)
            if x == 2:
                raise ValueError(f"item {x}")
            return x

        item.map(range(4)).with_execution(policy="best_effort")
        results = wf.execute(executor=executor)
    assert [results[0], results[1], results[3]] == [0, 1, 3]
    assert "item 2" in str(results[2])


@EXECUTORS
def test_plain_items_that_return_coroutines(executor: str) -> None:
    with workflow("plain") as wf:
        task("later")(returns_a_coroutine).map(range(5))
        assert wf.execute(executor=executor) == [1, 2, 3, 4, 5]


@EXECUTORS
def test_directives_of_async_bodies(executor: str) -> None:
    with workflow("directives") as wf:

        @task(inject_context=True, max_cycles=5)
        async def again(ctx: Any, data: int = 0) -> int:
            await asyncio.sleep(0)
            if data < 3:
                ctx.next_iteration(data + 1)
            return data

        @task(inject_context=True)
        async def stops(ctx: Any) -> None:
            ctx.cancel_workflow("enough")

        again >> stops
        with pytest.raises(GraflowWorkflowCanceledError, match="enough"):
            wf.execute(executor=executor)


@EXECUTORS
def test_an_exception_has_the_users_lines(executor: str) -> None:
    async def inner() -> None:
        await asyncio.sleep(0)
        raise ValueError("no such file")

    with workflow("failing") as wf:

        @task
        async def fails() -> None:
            await inner()

        with pytest.raises(GraflowRuntimeError, match="no such file") as caught:
            wf.execute(executor=executor)
    cause = caught.value.__cause__
    assert isinstance(cause, ValueError)
    text = "".join(traceback.format_exception(cause))
    assert "await inner()" in text
    assert 'raise ValueError("no such file")' in text
    assert "asyncio" not in text


@EXECUTORS
def test_retries_and_a_body_that_was_cancelled(executor: str) -> None:
    with workflow("retried") as wf:

        @task(max_retries=2, inject_context=True)
        async def fetch(ctx: Any) -> int:
            await asyncio.sleep(0)
            if ctx.retry_count < 2:
                raise ConnectionError
            return int(ctx.retry_count)

        assert wf.execute(executor=executor) == 2
    with workflow("cancelled") as other:

        @task
        async def cancels_itself() -> None:
            raise asyncio.CancelledError

        with pytest.raises(GraflowRuntimeError, match=r"The body was cancelled: asyncio\.CancelledError left it"):
            other.execute(executor=executor)


@EXECUTORS
def test_what_it_prints_is_shown_in_order(executor: str, capfd: pytest.CaptureFixture[str]) -> None:
    with workflow("prints") as wf:

        @task
        async def says(number: int) -> None:
            print("begin", number)
            await asyncio.sleep(0)
            await asyncio.gather(*(later(number, part) for part in range(2)))

        async def later(number: int, part: int) -> None:
            print("part", number, part)

        parallel(*(says(task_id=f"s{n}", number=n) for n in range(3)))
        wf.execute(executor=executor, max_workers=2)
    expected = [line for n in range(3) for line in (f"begin {n}", f"part {n} 0", f"part {n} 1")]
    assert capfd.readouterr().out.splitlines() == expected


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_context_variables_of_the_caller_are_seen(executor: str) -> None:
    with workflow("variables") as wf:

        @task
        async def who() -> str:
            await asyncio.sleep(0)
            return user.get()

        token = user.set("ada")
        try:
            assert wf.execute(executor=executor) == "ada"
        finally:
            user.reset(token)


def test_a_worker_has_one_loop_and_leaves_nothing_on_it() -> None:
    with workflow("loops") as wf:

        @task
        async def which() -> tuple[int, int]:
            async def forever() -> None:
                await asyncio.sleep(3600)

            others = len(asyncio.all_tasks())
            asyncio.ensure_future(forever())  # noqa: RUF006 - what the body leaves is ended
            return id(asyncio.get_running_loop()), others

        @task
        async def again(which: Any) -> bool:
            there = id(asyncio.get_running_loop()), len(asyncio.all_tasks())
            return there == which

        which >> again
        assert wf.execute(executor="process", max_workers=1)
        assert wf.execute(executor="inline")


def test_in_a_program_with_a_running_loop() -> None:
    """As in a notebook's cell or a web server's handler."""

    async def handler(executor: str) -> tuple[Any, list[str]]:
        with workflow("cell") as wf:

            @task(inject_context=True)
            async def fetch(ctx: Any) -> tuple[str, str]:
                await asyncio.sleep(0)
                ctx.get_channel().set("seen", 1)
                print("fetched")
                return user.get(), ctx.task_id

            @task
            def then(fetch: Any) -> Any:
                return fetch

            fetch >> then
            return wf.execute(executor=executor)

    token = user.set("ada")
    try:
        assert asyncio.run(handler("inline")) == ("ada", "fetch")
        assert asyncio.run(handler("thread")) == ("ada", "fetch")
    finally:
        user.reset(token)


@EXECUTORS
def test_an_async_body_awaits_a_workflow_of_its_own(executor: str) -> None:
    with workflow("outer") as outer:

        @task
        async def runs() -> list[Any]:
            with workflow("inner") as inner:

                @task
                async def square(x: int) -> int:
                    return x * x

                square.map(range(3))
            first = inner.execute(executor="inline")
            second = await inner.aexecute(executor="inline")
            return [first, second, [result async for result in inner.astream(executor="inline")]]

        assert outer.execute(executor=executor) == [[0, 1, 4]] * 3


def test_ctrl_c_ends_an_async_body_in_this_thread() -> None:
    cleaned = []
    with workflow("interrupted") as wf:

        @task
        async def sleeps() -> None:
            try:
                asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
                await asyncio.sleep(60)
            finally:
                cleaned.append(True)

        with pytest.raises(KeyboardInterrupt):
            wf.execute(executor="inline")
    assert cleaned == [True]


def test_a_timeout_stops_it() -> None:
    with workflow("slow") as wf:

        @task(timeout=0.3)
        async def slow() -> None:
            await asyncio.sleep(60)

        with pytest.raises(TaskTimeoutError):
            wf.execute()


def test_it_may_use_threads_and_its_context_there() -> None:
    with workflow("threads") as wf:

        @task(inject_context=True)
        async def uses(ctx: Any) -> Any:
            await asyncio.to_thread(ctx.get_channel().set, "key", 5)
            return ctx.get_channel().get("key"), threading.current_thread().name.startswith("asyncio")

        assert wf.execute(executor="process") == (5, False)
        assert wf.execute(executor="inline") == (5, False)


def test_a_unit_test_calls_it_directly() -> None:
    @task
    async def double(x: int) -> int:
        await asyncio.sleep(0)
        return 2 * x

    assert double.run(x=4) == 8
    assert double.map([1, 2]).run() == [2, 4]

    async def inside() -> int:
        return int(double.run(x=5))

    assert asyncio.run(inside()) == 10
