"""Steps of the workflow's own branch in the pool take a short way; what they do is what they do inline."""

import os
import signal
import time

import psutil
import pytest

from graflow_fast import ExecutionContext, RetryPolicy, chain, parallel, task, workflow
from graflow_fast.core import registry
from graflow_fast.exceptions import CycleLimitExceededError, GraflowRuntimeError

LONG = 1500  # more steps than one lease has


@task
def one():
    return 1


@task
def add(value, by=1):
    return value + by


@task
def say(value):
    print("got", value)
    return value


@task(inject_context=True)
def write(ctx, value):
    channel = ctx.get_channel()
    channel.set("written", value)
    channel.append("all", value)
    return value


@task(inject_context=True, max_cycles=10_000)
def count(ctx, value=0, until=5):
    if value < until:
        ctx.next_iteration(value + 1)
    return value


@task(inject_context=True, max_cycles=10_000)
def chatter(ctx, value=0):
    """Every third round is not plain: it prints or writes."""
    if ctx.cycle_count % 3 == 0:
        print("round", ctx.cycle_count)
    if ctx.cycle_count % 3 == 1:
        ctx.get_channel().set("round", ctx.cycle_count)
    if ctx.cycle_count < 40:
        ctx.next_iteration({"round": ctx.cycle_count})
    return ctx.cycle_count


@task(inject_context=True)
def branch_off(ctx):
    ctx.next_task(one(task_id="left") | one(task_id="right"))
    return "asked"


@task
def from_channel(written, all=None):
    return [written, all]


@task
def group_of_two():
    return (one(task_id="first") | one(task_id="second")).task_id


@task(inject_context=True, max_retries=2)
def flaky(ctx):
    if ctx.retry_count < 2:
        raise ValueError("not yet")
    return ctx.retry_count


def steps_of(*parts):
    def build():
        made = [part(task_id=f"s{number}_{part.task_id}") for number, part in enumerate(parts)]
        return chain(*made) if len(made) > 1 else made[0]

    return build


PROGRAMS = {
    "values go from step to step": steps_of(one, add, add, add),
    "output in between": steps_of(one, say, add, say, add),
    "writes in between": steps_of(one, write, add, write, from_channel),
    "iterations in between": steps_of(one, count, add, count, say),
    "rounds that are not plain": steps_of(one, chatter, add),
    "a retry in between": steps_of(one, flaky, add, say),
    "a group from a body": steps_of(one, branch_off, one, branch_off, one),
    "a group made for nothing": steps_of(one, group_of_two, one, group_of_two),
    "a long chain": lambda: chain(one, *[add(task_id=f"add{number}") for number in range(LONG)]),
    "a long loop": lambda: chain(one(task_id="start"), count(task_id="loop", until=LONG), say),
    "bound and open parameters": lambda: chain(
        one, add(task_id="a", by=10), add(task_id="b", value=5), add(task_id="c")
    ),
    "some here, some there": lambda: chain(
        *[task(lambda value=0: value + 1, id=f"m{n}", handler="direct" if n % 2 else None) for n in range(9)]
    ),
}


def outcome_of(build, executor, capsys, **options):
    with workflow("steps") as flow:
        build()
    result, context = flow.execute(executor=executor, max_workers=2, ret_context=True, **options)
    channel = context.channel
    return {
        "result": result,
        "completed": context.completed_tasks,
        "steps": context.steps,
        "channel": [(key, channel.get(key)) for key in channel.keys()],  # noqa: SIM118
        "cycles": context.cycle_controller.cycle_counts,
        "traced": context.tracer.export_runtime_graph()["execution_order"][1:],
        "printed": capsys.readouterr().out,
    }


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_pool_does_what_inline_does(name, capsys):
    inline = outcome_of(PROGRAMS[name], "inline", capsys)
    assert outcome_of(PROGRAMS[name], "process", capsys) == inline
    assert outcome_of(PROGRAMS[name], "process", capsys) == inline  # on warm workers


@pytest.mark.parametrize("name", ["output in between", "iterations in between", "a long chain"])
def test_a_step_limit_is_met_exactly(name, capsys):
    with pytest.warns(UserWarning, match="max_steps=3"):
        inline = outcome_of(PROGRAMS[name], "inline", capsys, max_steps=3)
    with pytest.warns(UserWarning, match="max_steps=3"):
        assert outcome_of(PROGRAMS[name], "process", capsys, max_steps=3) == inline


def failing(number):
    if number == 7:
        raise ValueError("seven")
    return number


def test_an_error_in_the_middle_names_its_step():
    step = task(failing)
    with workflow("fails") as flow:
        chain(*[step(task_id=f"s{number}", number=number) for number in range(20)])
    with pytest.raises(GraflowRuntimeError, match="s7") as caught:
        flow.execute(executor="process", max_workers=2)
    assert isinstance(caught.value.__cause__, ValueError)


def crashing(number, folder):
    marker = os.path.join(folder, "crashed")
    if number == 7 and not os.path.exists(marker):
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    with open(os.path.join(folder, "ran"), "a") as ran:
        ran.write(f"{number} ")
    return number


def test_a_crash_in_the_middle_is_charged_to_its_step_alone(tmp_path):
    step = task(max_retries=1)(crashing)
    with workflow("crashes") as flow:
        chain(*[step(task_id=f"s{number}", number=number, folder=str(tmp_path)) for number in range(20)])
    result, context = flow.execute(executor="process", max_workers=2, ret_context=True)
    assert result == 19
    assert [context.get_result(f"s{number}") for number in range(20)] == list(range(20))
    # The steps of its lease ran again, one by one; those behind it ran once.
    ran = [int(number) for number in (tmp_path / "ran").read_text().split()]
    assert [ran.count(number) for number in range(7, 20)] == [1] * 13


def test_steps_around_groups(capsys):
    def build():
        return chain(
            one, add, parallel(add(task_id="left"), add(task_id="right")), one(task_id="then"), add(task_id="last")
        )

    assert outcome_of(build, "process", capsys) == outcome_of(build, "inline", capsys)


def test_a_worker_that_is_stopped_between_two_steps_is_replaced():
    """Both while it looks for the next task, and once it sleeps."""

    @task(handler="process")
    def where(stopped=None):
        return os.getpid()

    @task(handler="direct")
    def stop(pause, where_from):
        time.sleep(pause)
        pid = registry.running.task_context.get_result(where_from)
        os.kill(pid, signal.SIGSTOP)
        while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
            pass
        return pid

    with workflow("stopped") as flow:
        chain(
            where(task_id="w0"),
            stop(task_id="s0", pause=0.0, where_from="w0"),
            where(task_id="w1"),
            stop(task_id="s1", pause=0.05, where_from="w1"),
            where(task_id="w2"),
        )
    began = time.monotonic()
    _, context = flow.execute(max_workers=1, ret_context=True)
    assert len({context.get_result(name) for name in ("w0", "w1", "w2")}) == 3
    assert time.monotonic() - began < 20  # on a busy machine, too; nobody waits for a timeout


@task(inject_context=True)
def short_limits(ctx):
    """Names nothing of the run, so it may be part of a lease."""
    try:
        ctx.next_iteration()
    except CycleLimitExceededError:
        return ctx.max_cycles, ctx.max_retries, ctx.cycle_count
    return "goes on"


@task(inject_context=True, retry_policy=RetryPolicy(max_retries=4, initial_interval=0.0))
def patient(ctx):
    return ctx.max_retries


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_limits_that_were_set_by_hand_hold_in_a_chain(executor, monkeypatch):
    monkeypatch.setenv("GRAFLOW_FAST_EXECUTOR", executor)
    with workflow("limits") as flow:
        chain(one, *[short_limits(task_id=f"s{number}") for number in range(4)], patient(task_id="p"), one(task_id="z"))
    context = ExecutionContext.create(flow.graph, "one", default_max_cycles=7)
    context.cycle_controller.set_node_max_cycles("s2", 3)
    context.retry_controller.set_node_max_retries("s1", 5)
    context.execute()
    results = {f"s{number}": context.get_result(f"s{number}") for number in range(4)}
    assert results == {"s0": (7, 0, 7), "s1": (7, 5, 7), "s2": (3, 0, 3), "s3": (7, 0, 7)}
    assert context.get_result("p") == 4
