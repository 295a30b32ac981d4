"""`keep_results`: what is dropped, what is still read, and that a long run needs no more memory than a short one."""

import gc

import pytest

from graflow_fast import task, workflow

EXECUTORS = ["inline", "thread", "process"]


def results(context, *names):
    return [context.channel.exists(f"{name}.__result__") for name in names]


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("keep", ["all", "needed", "none"])
def test_what_is_kept(executor, keep, schedule):
    with workflow("w") as wf:

        @task
        def a():
            return 1

        @task
        def b(a):
            return a + 1

        @task
        def c(value):
            return value + 1

        @task
        def d(value):
            return value + 1

        a >> b >> c >> d
        result, context = wf.execute(
            executor=executor, max_workers=2, schedule=schedule, keep_results=keep, ret_context=True
        )
    assert result == 4
    expected = {"all": [True] * 4, "needed": [True, False, False, True], "none": [False] * 4}
    assert results(context, "a", "b", "c", "d") == expected[keep]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_every_reader_still_reads(executor):
    with workflow("w") as wf:

        @task
        def source():
            return 5

        @task
        def reader(value, by):
            return value * by

        @task(inject_context=True)
        def end(ctx):
            return [ctx.get_result(f"r{i}") for i in range(3)]

        last = end
        for i in range(3):
            source >> reader(task_id=f"r{i}", by=i) >> last
        result, context = wf.execute(executor=executor, max_workers=2, keep_results="none", ret_context=True)
    assert result == [0, 5, 10]
    assert results(context, "source", "r0", "r1", "r2", "end") == [False] * 5


def test_members_are_read_by_what_follows_the_group():
    with workflow("w") as wf:
        one, two = task("one")(lambda: 1), task("two")(lambda: 2)

        @task
        def total(one, two):
            return one + two

        (one | two) >> total
        result, context = wf.execute(keep_results="none", max_workers=2, ret_context=True)
    assert result == 3
    assert results(context, "one", "two", "ParallelGroup_1", "total") == [False] * 4


def chain(length, keep):
    with workflow("w") as wf:

        @task(inject_context=True)
        def step(ctx, number):
            if number < length:
                ctx.next_task(step(task_id=f"n{number + 1}", number=number + 1))
            return number

        step(task_id="n0", number=0)
        return wf.execute(start_node="n0", keep_results=keep, executor="inline", ret_context=True)


def test_finished_dynamic_tasks_are_forgotten():
    result, context = chain(25_000, "none")
    assert result == 25_000
    assert context.steps == 25_001
    assert len(context.graph.nodes) <= 3
    assert len(context.completed_tasks) <= 2
    assert len(context.cycle_controller.cycle_counts) <= 2
    assert len(context._run.nodes.names) <= 5
    assert len(context.channel.keys()) <= 1
    assert context.tracer._record is None or len(context.tracer._record.order) <= 3


def test_kept_results_stay_readable():
    result, context = chain(1000, "all")
    assert result == 1000
    assert [context.get_result(f"n{i}") for i in range(1001)] == list(range(1001))
    gc.collect()
