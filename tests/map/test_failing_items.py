"""Items of `task.map` that fail: what becomes of the others, of retries and of the map, wherever the items run."""

import itertools

import pytest
from mapped import double, run

from graflow_fast import task, workflow
from graflow_fast.core.retry import RetryPolicy
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    ParallelGroupError,
    RetryLimitExceededError,
    TaskSerializationError,
)


def test_strict_names_every_item_that_failed(executor):
    with workflow("w") as wf:

        @task
        def work(x):
            if x in (17, 40):
                raise ValueError(f"bad {x}")
            return x

        work.map(range(60))
        with pytest.raises(
            ParallelGroupError, match=r"2 of 60 items failed: work_map\[17\] \(ValueError: bad 17\)"
        ) as info:
            run(wf, executor)
    assert [name for name, _ in info.value.failed_tasks] == ["work_map[17]", "work_map[40]"]
    assert len(info.value.successful_tasks) == 58
    assert isinstance(info.value.__cause__.__cause__, ValueError)


def test_best_effort_leaves_the_exception_in_its_place(executor):
    with workflow("w") as wf:

        @task
        def work(x):
            return 1 // x

        work.map([1, 0, -1]).with_execution(policy="best_effort")
        result, _ = run(wf, executor)
    assert isinstance(result.pop(1), ZeroDivisionError)
    assert result == [1, -1]


def test_fail_fast_ends_an_endless_map(executor):
    with workflow("w") as wf:

        @task
        def work(x):
            if x >= 100:
                raise ValueError(x)
            return x

        work.map(itertools.count(), fail_fast=True)
        with pytest.raises(ParallelGroupError) as info:
            run(wf, executor)
    assert [name for name, _ in info.value.failed_tasks] == ["work_map[100]"]
    assert len(info.value.successful_tasks) == 100


def test_stop_iteration_in_a_body_is_a_failure_not_the_end(executor):
    with workflow("w") as wf:

        @task
        def work(x):
            return next(iter([])) if x == 3 else x

        work.map(range(6)).with_execution(policy="best_effort")
        result, _ = run(wf, executor)
    assert isinstance(result.pop(3), StopIteration)
    assert result == [0, 1, 2, 4, 5]


def test_retries_see_their_own_writes_and_print_in_place(executor, capsys):
    with workflow("w") as wf:

        @task(max_retries=2, inject_context=True)
        def work(ctx, x):
            print(x, ctx.retry_count, ctx.get_channel().get("w"))
            ctx.get_channel().set("w", x)
            if x % 4 == 1 and ctx.retry_count < 2:
                raise ValueError(x)
            return x

        work.map(range(6))
        result, context = run(wf, executor)
    assert result == list(range(6))
    lines = ["0 0 None", "1 0 None", "1 1 1", "1 2 1", "2 0 None", "3 0 None", "4 0 None", "5 0 None", "5 1 5", "5 2 5"]
    assert capsys.readouterr().out.splitlines() == lines
    assert context.retry_controller.retry_counts == {}


def test_a_waiting_retry_holds_up_nobody(executor):
    with workflow("w") as wf:

        @task(retry_policy=RetryPolicy(max_retries=1, initial_interval=1.5), inject_context=True)
        def work(ctx, x):
            order = ctx.get_channel().atomic_add("order")
            if x == 0 and ctx.retry_count == 0:
                raise ValueError
            return order

        work.map(range(50))
        result, _ = run(wf, executor)
    assert max(result) == result[0] == 51


def test_exhausted_retries(executor):
    with workflow("w") as wf:

        @task(max_retries=1)
        def work(x):
            raise ValueError(x)

        work.map([7])
        with pytest.raises(ParallelGroupError) as info:
            run(wf, executor)
    assert isinstance(info.value.__cause__, RetryLimitExceededError)
    assert info.value.__cause__.task_id == "work_map[0]"


def test_an_iterator_that_raises_fails_the_map(executor):
    def items():
        yield 1
        raise OSError("disk")

    with workflow("w") as wf:
        task("work")(double).map(items())
        with pytest.raises(GraflowRuntimeError) as info:
            run(wf, executor)
    assert isinstance(info.value.__cause__, OSError)


@pytest.mark.parametrize("where", ["item", "result"])
def test_the_unpicklable_fails_one_item(where):
    def items():
        return [1, (i for i in ()), 3] if where == "item" else [1, 2, 3]

    with workflow("w") as wf:

        @task
        def work(x):
            return (i for i in ()) if x == 2 else 0

        work.map(items()).with_execution(policy="best_effort")
        result, _ = run(wf, "process")
    assert isinstance(result.pop(1), TaskSerializationError)
    assert result == [0, 0]
