"""Large values in runs on worker processes: every way they can go, crossing once, and workers that die with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graflow_fast import chain, parallel, task, workflow
from graflow_fast._wire.shared import segments
from graflow_fast.core.retry import RetryPolicy
from graflow_fast.exceptions import GraflowRuntimeError

LARGE = 300_000


@task
def make(number: float = 1.0) -> Any:
    return np.full(LARGE, number)


@task
def total(values: Any) -> float:
    return float(values.sum())


@task(inject_context=True)
def put(ctx: Any, number: float = 1.0) -> None:
    ctx.get_channel().set("values", np.full(LARGE, number))
    ctx.get_channel().append("list", np.full(LARGE, number))


@task(inject_context=True)
def read(ctx: Any) -> tuple[float, list[float]]:
    channel = ctx.get_channel()
    return float(channel.get("values").sum()), [float(item[0]) for item in channel.get("list")]


@task
def private_bytes(values: Any) -> int:
    assert values[-1] == 1
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    return 0


def test_argument_result_and_value_of_the_task_before() -> None:
    with workflow("w") as flow:
        chain(make(task_id="a", number=2.0), total(task_id="b"))
    assert flow.execute(executor="process") == 2.0 * LARGE
    with workflow("w") as flow:
        make(task_id="a", number=3.0)
    result = flow.execute(executor="process")
    assert (result == 3.0).all()


def test_channel_values_and_appended_items() -> None:
    with workflow("w") as flow:
        chain(put(task_id="a", number=1.0), put(task_id="b", number=2.0), read(task_id="c"))
    assert flow.execute(executor="process") == (2.0 * LARGE, [1.0, 2.0])
    with workflow("w") as flow:
        parallel(put(task_id="a", number=1.0), put(task_id="b", number=2.0)) >> read(task_id="c")
    assert flow.execute(executor="process") == (2.0 * LARGE, [1.0, 2.0])


def test_live_values() -> None:
    @task(inject_context=True)
    def add(ctx: Any) -> None:
        channel = ctx.get_channel()
        with channel.lock("sum"):
            channel.set("sum", channel.get("sum", np.zeros(LARGE)) + 1)

    with workflow("w") as flow:
        parallel(*[add(task_id=f"a{number}") for number in range(6)])
    _, context = flow.execute(executor="process", ret_context=True)
    assert (context.channel.get("sum") == 6).all()


def test_iteration_data() -> None:
    @task(inject_context=True)
    def loop(ctx: Any, data: Any = None) -> float:
        data = np.zeros(LARGE) if data is None else data
        if data[0] < 5:
            ctx.next_iteration(data + 1)
        return float(data.sum())

    with workflow("w") as flow:
        loop(task_id="loop")
    assert flow.execute(executor="process") == 5.0 * LARGE


def test_an_array_of_many_tasks_crosses_once_and_is_read_in_place() -> None:
    values = np.ones(10_000_000)
    with workflow("w") as flow:
        parallel(*[private_bytes(task_id=f"t{number}", values=values) for number in range(40)])
    before = segments.arena.made
    _, context = flow.execute(executor="process", ret_context=True)
    assert segments.arena.made - before == 1
    assert max(context.get_result(f"t{number}") for number in range(40)) < values.nbytes / 2


def test_every_task_gets_its_own_array() -> None:
    with workflow("w") as flow:
        parallel(*[total(task_id=f"t{number}", values=np.full(LARGE, number)) for number in range(12)])
    _, context = flow.execute(executor="process", ret_context=True)
    assert [context.get_result(f"t{number}") for number in range(12)] == [number * LARGE for number in range(12)]


def test_an_array_in_the_channel_crosses_once() -> None:
    @task(inject_context=True)
    def peek(ctx: Any) -> float:
        return float(ctx.get_channel().get("shared")[-1])

    with workflow("w") as flow:
        parallel(*[peek(task_id=f"t{number}") for number in range(20)])
    before = segments.arena.made
    flow.execute(executor="process", initial_channel={"shared": np.ones(LARGE)})
    assert segments.arena.made - before == 1


def test_a_change_between_forks_is_seen() -> None:
    values = np.ones(LARGE)

    @task(handler="direct")
    def change() -> None:
        values[:] = 2

    with workflow("w") as flow:
        (
            parallel(total(task_id="a", values=values), total(task_id="b", values=values))
            >> change
            >> parallel(total(task_id="c", values=values), total(task_id="d", values=values))
        )
    _, context = flow.execute(ret_context=True)
    assert [context.get_result(name) for name in "abcd"] == [LARGE, LARGE, 2 * LARGE, 2 * LARGE]


def test_memory_does_not_grow_with_finished_tasks() -> None:
    @task(inject_context=True, max_cycles=100)
    def step(ctx: Any, data: Any = None) -> int:
        count = 0 if data is None else int(data[0])
        if count < 60:
            ctx.next_iteration(np.full(1_000_000, count + 1))
        return count

    held: list[int] = []

    @task(inject_context=True, handler="direct")
    def watch(ctx: Any) -> None:
        held.append(segments.arena.open)

    with workflow("w") as flow:
        step(task_id="step") >> watch
    flow.execute(executor="process")
    assert held
    assert held[0] <= 2


def test_a_worker_that_dies_with_an_array() -> None:
    @task(retry_policy=RetryPolicy(max_retries=1, initial_interval=0.0), inject_context=True)
    def die_once(ctx: Any, values: Any) -> float:
        if ctx.retry_count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return float(values.sum())

    with workflow("w") as flow:
        parallel(*[die_once(task_id=f"t{number}", values=np.ones(LARGE)) for number in range(3)])
    _, context = flow.execute(executor="process", ret_context=True)
    assert [context.get_result(f"t{number}") for number in range(3)] == [LARGE] * 3


def test_a_result_whose_worker_died_before_it_was_opened_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graflow_fast._places.process import processes

    @task
    def once(folder: str) -> Any:
        (Path(folder) / str(len(os.listdir(folder)))).touch()
        return np.ones(LARGE)

    adopt, lost = processes.crossing.adopt, []

    def gone_once(data: bytes) -> bytes:
        if not lost and data[0] == processes.crossing.SHARED_MARK:
            lost.append(data)
            raise segments.Gone
        return adopt(data)

    monkeypatch.setattr(processes.crossing, "adopt", gone_once)
    with workflow("w") as flow:
        once(task_id="only", folder=str(tmp_path))
    assert flow.execute(executor="process").sum() == LARGE
    assert len(os.listdir(tmp_path)) == 2


def test_an_abandoned_result_is_let_go() -> None:
    @task(inject_context=True)
    def stop(ctx: Any) -> None:
        ctx.cancel_workflow("enough")

    with workflow("w") as flow:
        parallel(make(task_id="a"), stop(task_id="b"), make(task_id="c"), make(task_id="d"))
    with pytest.raises(GraflowRuntimeError, match="enough"):
        flow.execute(executor="process")


def _users_of_buffers() -> list[str]:
    """Return the processes of the coordinator that was killed: what nobody has open or mapped is free."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            program = (process / "cmdline").read_bytes()
            if b"SEGMENTS_OF_A_KILLED_ONE" in (process / "environ").read_bytes() and program:
                found.append(process.name)
        except OSError:
            continue
    return found


def test_nothing_is_left_of_a_coordinator_that_was_killed() -> None:
    program = """
import os, signal, numpy as np
from graflow_fast import task, workflow, parallel
@task
def wait(values):
    signal.pause()
@task
def kill(values, parent):
    os.kill(parent, signal.SIGKILL)
    signal.pause()
values = np.ones(1_000_000)
with workflow("w") as flow:
    parallel(kill(task_id="b", values=values, parent=os.getpid()), wait(task_id="a", values=values))
flow.execute(executor="process")
"""
    environment = {**os.environ, "SEGMENTS_OF_A_KILLED_ONE": "1"}
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False, env=environment)
    assert done.returncode == -signal.SIGKILL
    while _users_of_buffers():  # the workers go with the coordinator, and the memory with them
        assert time.monotonic() < started + 30
        time.sleep(0.01)
