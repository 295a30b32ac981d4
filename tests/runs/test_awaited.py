"""`await wf.aexecute()` and `async for` over `wf.astream()`: the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from signs import Signs, wait_until

from graflow_fast import task, workflow
from graflow_fast.core.workflow import WorkflowContext
from graflow_fast.exceptions import GraflowRuntimeError


def waiting(signs: Signs) -> WorkflowContext:
    with workflow("waiting") as wf:

        @task
        def work() -> int:
            signs.leave("begun")
            signs.await_("go on")
            return 2

        @task
        def store(work: int) -> int:
            signs.leave("stored")
            return work + 1

        work >> store
    return wf


def squares(signs: Signs, count: int = 5) -> WorkflowContext:
    with workflow("squares") as wf:

        @task
        def square(x: int) -> int:
            signs.leave(f"item {x}")
            if x == 100:
                signs.await_("go on")
            return x * x

        square.map([*range(count), *([100] if count > 5 else [])], chunk=1)
    return wf


def test_the_loop_goes_on_while_a_workflow_runs(executor: str, signs: Signs) -> None:
    async def program() -> Any:
        run = asyncio.ensure_future(waiting(signs).aexecute(executor=executor))
        while not signs.seen("begun"):
            await asyncio.sleep(0.001)
        signs.leave("go on")  # by the loop: a blocked one would never come here
        return await run

    assert asyncio.run(program()) == 3


def test_several_at_once(signs: Signs) -> None:
    signs.leave("go on")

    async def program() -> Any:
        return await asyncio.gather(*(waiting(signs).aexecute(executor="thread") for _ in range(5)))

    assert asyncio.run(program()) == [3] * 5


def test_it_raises_and_takes_what_execute_does(executor: str) -> None:
    with workflow("failing") as wf:

        @task
        def fails(ok: bool = False) -> int:
            if not ok:
                raise ValueError("no such file")
            return 1

    with pytest.raises(GraflowRuntimeError, match="no such file"):
        asyncio.run(wf.aexecute(executor=executor))
    result, context = asyncio.run(wf.aexecute("fails", None, True, {"ok": True}, executor=executor))
    assert (result, context.stop_reason) == (1, "completed")


def test_cancelling_the_awaiting_task_cancels_the_run(executor: str, signs: Signs) -> None:
    contexts: list[Any] = []

    async def program() -> None:
        wf = waiting(signs)
        started = wf._start
        wf._start = lambda *a, **o: contexts.append(started(*a, **o)) or contexts[0]  # type: ignore[method-assign]
        run = asyncio.ensure_future(wf.aexecute(executor=executor))
        while not signs.seen("begun"):
            await asyncio.sleep(0.001)
        run.cancel()
        if executor in ("inline", "auto"):
            asyncio.get_running_loop().call_later(0.01, signs.leave, "go on")  # it can't be stopped
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(program())
    assert contexts[0].wait(20)
    assert contexts[0].context.stop_reason == "canceled"
    assert not signs.seen("stored")


def test_a_timeout_of_asyncio_bounds_a_run(signs: Signs) -> None:
    async def program() -> None:
        await asyncio.wait_for(waiting(signs).aexecute(executor="process"), 1.0)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(program())
    assert not signs.seen("stored")


def test_results_are_iterated_over_as_they_come(executor: str, signs: Signs) -> None:
    async def program() -> list[int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        found = [result async for result in squares(signs).astream(executor=executor)]
        ticking.cancel()
        assert ticks > 1
        return found

    assert asyncio.run(program()) == [0, 1, 4, 9, 16]


def test_a_stream_that_is_left_is_stopped(executor: str, signs: Signs) -> None:
    wf = squares(signs, 10_000)

    async def program() -> int:
        results = wf.astream(executor=executor, max_workers=1)
        async for result in results:
            if result == 9:
                break
        await results.aclose()  # type: ignore[attr-defined]
        return result

    assert asyncio.run(program()) == 9
    assert not signs.seen("item 9999")
    wait_until(lambda: not wf.graph.is_running)
    assert len(asyncio.run(_all(squares(signs)))) == 5


async def _all(wf: WorkflowContext) -> list[Any]:
    return [result async for result in wf.astream()]


def test_a_cancelled_stream_cancels_its_run(signs: Signs) -> None:
    async def program() -> None:
        with workflow("never") as wf:

            @task
            def wait(x: int) -> int:
                signs.leave("begun")
                signs.await_("never")
                return x

            wait.map(range(3))
        reading = asyncio.ensure_future(_all_of(wf))
        while not signs.seen("begun"):
            await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert not wf.graph.is_running

    asyncio.run(program())


async def _all_of(wf: WorkflowContext) -> list[Any]:
    return [result async for result in wf.astream(executor="process")]


def test_a_stream_with_an_item_that_fails() -> None:
    with workflow("failing") as wf:

        @task
        def item(x: int) -> int:
            if x == 3:
                raise ValueError(x)
            return x

        item.map(range(5))

    async def program(**options: Any) -> list[int]:
        found = []
        with pytest.raises(GraflowRuntimeError):
            async for result in wf.astream(executor="inline", **options):
                found.append(result)
        return found

    assert asyncio.run(program()) == [0, 1, 2, 4]
    assert asyncio.run(program(deadline=60)) == [0, 1, 2, 4]
