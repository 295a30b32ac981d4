"""`schedule="parallel"`: everything ready runs at once, and each task sees what had committed when it started."""

import os
import threading
import time
import warnings

import pytest

from graflow_fast import task, workflow
from graflow_fast.exceptions import GraflowRuntimeError, GraflowWorkflowCanceledError

EXECUTORS = ["inline", "thread", "auto"]


@pytest.fixture(params=EXECUTORS)
def executor(request):
    return request.param


def run(wf, executor, workers=2, **options):
    return wf.execute(schedule="parallel", executor=executor, max_workers=workers, ret_context=True, **options)


def wait_for(path, seconds=20.0):
    """Wait until somebody has made a file."""
    end = time.monotonic() + seconds
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise TimeoutError(path)
        time.sleep(0.005)


def touch(path):
    os.close(os.open(path, os.O_CREAT))


@pytest.mark.parametrize("executor", ["thread", "auto"])
def test_roots_run_at_once(executor, tmp_path):
    first, second = str(tmp_path / "1"), str(tmp_path / "2")
    with workflow("w") as wf:

        @task
        def meet(own, other):
            touch(own)
            wait_for(other)
            return own

        @task
        def end():
            return "end"

        a, b = meet(task_id="a", own=first, other=second), meet(task_id="b", own=second, other=first)
        last = end
        a >> last
        b >> last
        result, context = run(wf, executor)
    assert result == "end"
    assert sorted(context.completed_tasks[:2]) == ["a", "b"]


def test_a_join_runs_once_behind_all(executor):
    with workflow("w") as wf:

        @task
        def start():
            return 1

        @task
        def middle(by, start):
            return by * start

        @task(inject_context=True)
        def end(ctx):
            ctx.get_channel().append("ended", 1)
            return sum(ctx.get_result(f"m{i}") for i in range(10))

        last = end
        for i in range(10):
            start >> middle(task_id=f"m{i}", by=i) >> last
        result, context = run(wf, executor)
    assert result == 45
    assert context.channel.get("ended") == [1]
    assert context.steps == 12


@pytest.mark.parametrize("executor", ["thread", "auto"])
def test_a_task_sees_what_had_committed_when_it_started(executor, tmp_path):
    started, committed = str(tmp_path / "started"), str(tmp_path / "committed")
    with workflow("w") as wf:

        @task(inject_context=True)
        def reader(ctx):
            channel = ctx.get_channel()
            touch(started)
            wait_for(committed)
            keys = sorted(channel.keys())
            return channel.get("x"), channel.get("new"), channel.get("xs"), channel.get("ys"), keys

        @task(inject_context=True)
        def writer(ctx):
            wait_for(started)
            channel = ctx.get_channel()
            channel.set("x", 2)
            channel.set("new", 1)
            channel.append("xs", 2)
            channel.append("ys", 2)
            channel.prepend("ys", 0)

        @task(inject_context=True)
        def after(ctx):
            channel = ctx.get_channel()
            touch(committed)
            return channel.get("x"), channel.get("new"), channel.get("xs")

        reader >> task("end")(lambda: None)
        writer >> after
        _, context = run(wf, executor, initial_channel={"x": 1, "xs": [1], "ys": [1]})
    assert context.get_result("reader") == (1, None, [1], [1], ["x", "xs", "ys"])
    assert context.get_result("after") == (2, 1, [1, 2])


@pytest.mark.parametrize("executor", ["thread", "auto"])
def test_appends_of_concurrent_tasks_are_all_kept(executor):
    with workflow("w") as wf:

        @task(inject_context=True)
        def add(ctx, i):
            ctx.get_channel().append("all", i)
            ctx.get_channel().prepend("front", i)
            return ctx.get_channel().atomic_add("count")

        for i in range(20):
            add(task_id=f"a{i}", i=i) >> add(task_id=f"b{i}", i=100 + i)
        _, context = run(wf, executor)
    channel = context.channel
    assert sorted(channel.get("all")) == sorted(channel.get("front")) == [*range(20), *range(100, 120)]
    assert channel.get("count") == 40


def test_a_failed_attempt_shows_its_writes_to_its_own_retry_only(executor, tmp_path):
    failed = str(tmp_path / "failed")
    looked = str(tmp_path / "looked")
    with workflow("w") as wf:

        @task(inject_context=True, max_retries=1)
        def flaky(ctx):
            channel = ctx.get_channel()
            if ctx.retry_count == 0:
                channel.set("mine", 1)
                touch(failed)
                raise ValueError
            wait_for(looked) if executor != "inline" else None
            return channel.get("mine")

        @task(inject_context=True)
        def other(ctx):
            wait_for(failed)
            seen = ctx.get_channel().get("mine")
            touch(looked)
            return seen

        @task(inject_context=True)
        def end(ctx):
            return ctx.get_channel().get("mine")

        flaky >> end
        other >> task("nothing")(lambda: None)
        _, context = run(wf, executor)
    assert context.get_result("flaky") == 1
    assert context.get_result("other") is None
    assert context.get_result("end") == 1


def test_priority_then_order_decides_who_starts():
    for executor in EXECUTORS:
        with workflow("w") as wf:
            order = []

            @task(inject_context=True)
            def low(ctx, order=order):
                return ctx.get_channel().atomic_add("order")

            @task(inject_context=True, priority=5)
            def high(ctx):
                return ctx.get_channel().atomic_add("order")

            start = task("start")(lambda: None)
            for name in ("l1", "l2"):
                start >> low(task_id=name)
            for name in ("h1", "h2"):
                start >> high(task_id=name)
            _, context = run(wf, executor, workers=1)
        assert [context.get_result(name) for name in ("h1", "h2", "l1", "l2")] == [1, 2, 3, 4], executor


@pytest.mark.parametrize("limit", ["task", "run"])
def test_max_concurrency(limit):
    running = [0]
    most = [0]
    guard = threading.Lock()

    def body():
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.01)
        with guard:
            running[0] -= 1

    with workflow("w") as wf:
        work = task("work", max_concurrency=2 if limit == "task" else None)(body)
        start = task("start")(lambda: None)
        for i in range(12):
            start >> work(task_id=f"w{i}") if False else start >> _instance(work, f"w{i}")
        options = {"max_concurrency": 2} if limit == "run" else {}
        run(wf, "thread", workers=6, **options)
    assert most[0] == 2


def _instance(work, name):
    return work(task_id=name)


def test_groups_see_the_channel_as_it_was_at_the_fork(tmp_path):
    forked, committed = str(tmp_path / "forked"), str(tmp_path / "committed")
    with workflow("w") as wf:

        @task(inject_context=True)
        def first(ctx):
            touch(forked)
            wait_for(committed)
            ctx.get_channel().append("xs", "first")
            return ctx.get_channel().get("x")

        @task(inject_context=True)
        def second(ctx):
            ctx.get_channel().append("xs", "second")
            return ctx.get_channel().get("x")

        @task(inject_context=True)
        def beside(ctx):
            wait_for(forked)
            ctx.get_channel().set("x", 2)

        @task
        def last():
            touch(committed)

        @task(inject_context=True)
        def end(ctx):
            return ctx.get_channel().get("xs"), ctx.get_channel().get("x")

        (first | second) >> end
        beside >> last
        _, context = run(wf, "thread", workers=4, initial_channel={"x": 1})
    assert context.get_result("first") == context.get_result("second") == 1
    assert context.get_result("end") == (["first", "second"], 2)


def test_maps_inside(executor):
    with workflow("w") as wf:
        work = task("work")(lambda x: x * 2)
        total = task("total")(lambda values: sum(values))
        other = task("other")(lambda: 1)
        work.map(range(100)) >> total
        work.map(range(10)) >> other
        _, context = run(wf, executor)
    assert context.get_result("total") == 9900
    assert context.get_result("work_map_2") == [2 * i for i in range(10)]


def test_directives(executor):
    with workflow("w") as wf:

        @task(inject_context=True)
        def start(ctx):
            @task
            def extra():
                return "extra"

            ctx.next_task(extra)
            return 1

        @task(inject_context=True)
        def loop(ctx, count=0):
            if ctx.cycle_count < 4:
                ctx.next_iteration()
            return ctx.cycle_count

        @task(inject_context=True)
        def jump(ctx):
            ctx.next_task(ctx.graph.get_node("target"), goto=True)

        @task
        def skipped():
            raise AssertionError

        @task
        def target():
            return "reached"

        start >> loop
        start >> jump >> skipped
        _, context = run(wf, executor)
    assert context.get_result("extra") == "extra"
    assert context.get_result("loop") == 4
    assert context.get_result("target") == "reached"


def test_terminate_starts_nothing_more(executor):
    with workflow("w") as wf:

        @task(inject_context=True)
        def stop(ctx):
            ctx.terminate_workflow("done")

        @task
        def never():
            raise AssertionError

        stop >> never
        _, context = run(wf, executor)
    assert context.stop_reason == "terminated"


def test_cancel_stops_the_others_at_once():
    with workflow("w") as wf:

        @task(inject_context=True)
        def stop(ctx):
            ctx.cancel_workflow("stop it")

        @task
        def long():
            time.sleep(60)

        stop >> task("a")(lambda: None)
        long >> task("b")(lambda: None)
        begin = time.monotonic()
        with pytest.raises(GraflowWorkflowCanceledError, match="^stop it$"):
            run(wf, "auto")
    assert time.monotonic() - begin < 20


def test_a_failure_names_its_task_and_leaves_its_error(executor):
    with workflow("w") as wf:

        @task
        def bad():
            raise ValueError("no")

        bad >> task("after")(lambda: None)
        with pytest.raises(GraflowRuntimeError) as info:
            run(wf, executor)
    assert isinstance(info.value.__cause__, ValueError)


def test_max_steps():
    with workflow("w") as wf, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in "abcd":
            task(name)(lambda: None) >> task(f"after{name}")(lambda: None)
        _, context = run(wf, "inline", max_steps=3)
    assert context.stop_reason == "max_steps"
    assert context.steps == 3
