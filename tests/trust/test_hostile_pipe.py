"""T4: a body that writes to its worker's link costs that worker only; seeds."""

import os
import random
import signal
import socket
import stat

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import ParallelGroupError, WorkerCrashedError


def link():
    """The descriptor of the worker's link, as a hostile body would find it."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                return int(name)
        except OSError:
            continue
    raise LookupError("no socket")


def garbage(seed):
    return random.Random(seed).randbytes(random.Random(seed).randrange(1, 5000))


def writes(data, close=False):
    fd = os.dup(link())
    found = socket.socket(fileno=fd)
    found.sendall(data)
    if close:
        found.shutdown(socket.SHUT_WR)
    signal.pause()  # until the coordinator has noticed


def idle(number):
    return number


def run(hostile, *arguments):
    with workflow("hostile") as wf:
        made = task(id="idle")(idle)
        members = [made(task_id=f"t{number}", number=number) for number in range(50)]
        bad = task(id="bad", timeout=5)(lambda: hostile(*arguments))
        parallel(*members[:25], bad, *members[25:])
    with pytest.raises(ParallelGroupError) as caught:
        wf.execute(max_workers=2)
    assert [name for name, _ in caught.value.failed_tasks] == ["bad"]
    assert len(caught.value.successful_tasks) == 50
    return caught.value.__cause__


@pytest.mark.parametrize("seed", range(15))
def test_random_bytes(seed):
    error = run(writes, bytes([seed + 1]) + garbage(seed))
    assert isinstance(error, WorkerCrashedError)
    assert "was stopped, because it sent" in str(error)


@pytest.mark.parametrize("length", [1, 2, 5, 11])
def test_a_truncated_frame(length):
    error = run(writes, garbage(length)[:length], True)
    assert isinstance(error, WorkerCrashedError)
    assert "was stopped, because it" in str(error)


def seeds(**options):
    def body(ctx):
        return ctx.seed

    with workflow("seeds") as wf:
        body_task = task(id="body", inject_context=True)(body)
        parallel(*(body_task(task_id=f"s{number}") for number in range(40)))
    context = wf.execute(ret_context=True, **options)[1]
    return [context.get_result(f"s{number}") for number in range(40)]


def test_seeds_depend_on_the_program_alone():
    first = seeds(max_workers=1)
    assert len(set(first)) == 40
    assert seeds(max_workers=2) == first
    assert seeds(executor="inline") == first
    assert seeds(executor="thread", max_workers=3) == first
    assert seeds(max_workers=2, seed=1) != first


def iteration_seeds(**options):
    def body(ctx):
        ctx.get_channel().append("seeds", ctx.seed)
        if ctx.cycle_count < 4:
            ctx.next_iteration()

    with workflow("seeds") as wf:
        task(id="body", inject_context=True)(body)
    return wf.execute(ret_context=True, **options)[1].channel.get("seeds")


def test_each_iteration_has_a_seed_of_its_own():
    found = iteration_seeds(executor="inline")
    assert len(set(found)) == len(found) == 4
    assert iteration_seeds(executor="process", max_workers=2) == found
