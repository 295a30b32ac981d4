"""Fan-outs of any size that a body makes, and successors that it enqueues itself."""

from __future__ import annotations

from typing import Any

import pytest

from graflow_fast import chain, parallel, task, workflow

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])


@EXECUTORS
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_fan_out_over_what_was_found(count: int, executor: str) -> None:
    with workflow("found") as wf:

        @task
        def work(number: int) -> int:
            return number

        @task(inject_context=True)
        def gather(ctx: Any) -> list[Any]:
            return [ctx.get_result(f"w{number}") for number in range(count)]

        @task(inject_context=True)
        def look(ctx: Any) -> None:
            found = parallel(*(work(task_id=f"w{number}", number=number) for number in range(count)))
            ctx.next_task(found >> gather, goto=True)

        look >> gather
        assert wf.execute("look", executor=executor) == list(range(count))


@EXECUTORS
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_chain_of_what_was_found(count: int, executor: str) -> None:
    with workflow("chained") as wf:

        @task(inject_context=True)
        def step(ctx: Any, number: int) -> None:
            ctx.get_channel().append("ran", number)

        @task(inject_context=True)
        def look(ctx: Any) -> None:
            ctx.next_task(chain(*(step(task_id=f"s{number}", number=number) for number in range(count))))

        @task(inject_context=True)
        def end(ctx: Any) -> Any:
            return len(ctx.get_channel().get("ran", []))

        look >> end
        _, context = wf.execute(executor=executor, ret_context=True)
        assert context.get_result("end") == min(count, 1)  # it comes behind the first of the chain, as its turn is
        assert context.channel.get("ran", []) == list(range(count))


@EXECUTORS
def test_groups_of_one_with_a_policy_a_name_and_more_members(executor: str) -> None:
    with workflow("one") as wf:

        @task
        def work(number: int) -> int:
            if number == 0:
                raise ValueError(number)
            return number

        @task(inject_context=True)
        def look(ctx: Any) -> None:
            alone = parallel(work(task_id="w0", number=0)).with_execution(policy="best_effort").set_group_name("alone")
            ctx.next_task(alone)
            ctx.next_task(parallel() | work(task_id="w1", number=1))

        context = wf.execute("look", executor=executor, ret_context=True)[1]
    assert context.completed_tasks[:2] == ["look", "alone"]


def test_outside_of_a_task_it_is_a_mistake() -> None:
    for members in ((), (task("only")(print),)):
        with pytest.raises(ValueError, match="parallel requires at least two tasks"):
            parallel(*members)
    with pytest.raises(ValueError, match="chain requires at least one task"):
        chain()
    with workflow("w") as wf:

        @task
        def wrong() -> None:
            parallel(5)  # type: ignore[arg-type]

        with pytest.raises(Exception, match="Can only combine with Task"):
            wf.execute()


@EXECUTORS
def test_a_successor_that_the_body_also_enqueued_runs_once(executor: str) -> None:
    with workflow("once") as wf:

        @task(inject_context=True)
        def decide(ctx: Any) -> None:
            ctx.next_task(store)

        @task(inject_context=True)
        def store(ctx: Any) -> int:
            ctx.get_channel().append("ran", "store")
            return len(ctx.get_channel().get("ran"))

        decide >> store
        assert wf.execute(executor=executor) == 1


@EXECUTORS
def test_a_join_that_a_body_enqueued_runs_when_the_other_way_comes(executor: str) -> None:
    with workflow("join") as wf:

        @task
        def start() -> None:
            pass

        @task(inject_context=True)
        def hurry(ctx: Any) -> None:
            ctx.next_task(join)

        @task(inject_context=True)
        def join(ctx: Any) -> list[str]:
            ctx.get_channel().append("ran", "join")
            return list(ctx.get_channel().get("ran"))

        @task
        def slow() -> None:
            pass

        start >> hurry >> join
        start >> slow >> join
        assert wf.execute(executor=executor) == ["join", "join"]
