"""What ends before its time: bodies, their workers, stations, calls; and what that costs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import RetryPolicy, TaskExecutionContext, parallel, task, workflow
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    TaskMemoryError,
    TaskTimeoutError,
    WorkerCrashedError,
)

from .carriers import Children
from .helpers import is_gone, results, wait_until


def test_a_body_that_ends_its_process_is_named_and_nobody_else_is_charged(children: Any) -> None:
    with workflow("w") as wf:

        @task(inject_context=True, max_retries=1)
        def member(ctx: TaskExecutionContext, number: int) -> int:
            if number == 77:
                print("last words")
                os.system("echo from below >&2")
                os._exit(3)
            return ctx.retry_count

        names = [f"m{n}" for n in range(300)]
        group = parallel(*[member(task_id=f"m{n}", number=n) for n in range(300)]).with_execution(policy="best_effort")
        _, context = wf.execute(executor=children(2, 2), ret_context=True, start_node=group.task_id)
    found = results(context, names)
    assert found[77] is None
    assert [count for count in found if count != 0] == [None]


def test_a_crash_has_exit_code_and_last_words(children: Any) -> None:
    with workflow("w") as wf:

        @task
        def crashes() -> None:
            os.system("echo from below >&2")
            os._exit(3)

        with pytest.raises(GraflowRuntimeError) as caught:
            wf.execute(executor=children(1, place="all"))
    error = caught.value if isinstance(caught.value, WorkerCrashedError) else caught.value.__cause__
    assert isinstance(error, WorkerCrashedError)
    assert (error.exit_code, error.signal) == (3, None)
    assert "from below" in error.stderr_tail


def test_of_a_station_that_is_killed_only_what_ran_is_charged(children: Any, tmp_path: Path) -> None:
    carrier: Children = children(1, 2)
    with workflow("w") as wf:

        @task(inject_context=True, retry_policy=RetryPolicy(max_retries=50, initial_interval=0.0))
        def member(ctx: TaskExecutionContext, number: int) -> int:
            time.sleep(0.03)
            (tmp_path / f"{number}-{ctx.retry_count}").touch()
            return ctx.retry_count

        count = 200
        group = parallel(*[member(task_id=f"m{n}", number=n) for n in range(count)])
        run = wf.start(executor=carrier, start_node=group.task_id)
        for kills in range(1, 4):
            done = len(list(tmp_path.iterdir()))
            wait_until(lambda done=done: len(list(tmp_path.iterdir())) > done + 10)
            victim = next(iter(carrier.processes))
            process = carrier.processes.pop(victim)
            carrier.set_stations(1)
            process.kill()
            process.wait()
            wait_until(lambda kills=kills: len(carrier.processes) >= 1)
        run.result(60)
    channel = run.context.get_channel()
    charged = [channel.get(f"m{n}.__result__") for n in range(count)]
    assert None not in charged
    assert 0 < sum(charged) <= 3 * 2


def test_a_timeout_ends_the_body_and_not_its_station(children: Any, tmp_path: Path) -> None:
    carrier = children(1, place="all")
    with workflow("w") as wf:

        @task(timeout=0.3)
        def sleeps() -> None:
            (tmp_path / "pid").write_text(str(os.getpid()))
            time.sleep(60)

        with pytest.raises(GraflowRuntimeError) as caught:
            wf.execute(executor=carrier)
    assert isinstance(caught.value, TaskTimeoutError) or isinstance(caught.value.__cause__, TaskTimeoutError)
    wait_until(lambda: is_gone(int((tmp_path / "pid").read_text())))
    assert all(process.poll() is None for process in carrier.processes.values())


def test_a_memory_limit_is_looked_at_there(children: Any) -> None:
    with workflow("w") as wf:

        @task(memory_limit="150MB")
        def grows() -> None:
            hoard = [bytearray(b"x" * (250 << 20))]
            time.sleep(60)
            del hoard

        with pytest.raises(GraflowRuntimeError) as caught:
            wf.execute(executor=children(1, place="all"))
    error = caught.value if isinstance(caught.value, TaskMemoryError) else caught.value.__cause__
    assert isinstance(error, TaskMemoryError)


def test_a_cancel_ends_a_body_that_sleeps(children: Any, tmp_path: Path) -> None:
    carrier = children(1)
    with workflow("w") as wf:

        @task
        def sleeps(number: int) -> None:
            (tmp_path / f"{os.getpid()}").touch()
            time.sleep(60)

        group = parallel(*[sleeps(task_id=f"s{n}", number=n) for n in range(4)])
        run = wf.start(executor=carrier, start_node=group.task_id)
        wait_until(lambda: list(tmp_path.iterdir()))
        began = time.monotonic()
        run.cancel("enough")
        with pytest.raises(GraflowWorkflowCanceledError, match="enough"):
            run.result(30)
    assert time.monotonic() - began < 5.0
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == 1, "what waited behind it was given back"
    wait_until(lambda: is_gone(pids[0]))
    assert all(process.poll() is None for process in carrier.processes.values())


def test_no_number_is_given_twice_while_workers_die(children: Any) -> None:
    """Bodies run again by us are answered as the first time; only charged attempts may have added before."""
    carrier = children(2, 2)
    with workflow("w") as wf:

        @task(inject_context=True, max_retries=3)
        def adds(ctx: TaskExecutionContext, number: int) -> list[int]:
            channel = ctx.get_channel()
            got = [channel.atomic_add("count", 1) for _ in range(20)]
            if number % 10 == 0 and ctx.retry_count == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return got

        names = [f"a{n}" for n in range(40)]
        group = parallel(*[adds(task_id=name, number=n) for n, name in enumerate(names)])
        _, context = wf.execute(executor=carrier, ret_context=True, start_node=group.task_id)
    given = [value for got in results(context, names) for value in got]
    assert len(set(given)) == len(given) == 40 * 20
    assert context.get_channel().get("count") == 44 * 20


def test_a_lock_goes_on_when_the_station_of_its_holder_dies(children: Any, tmp_path: Path) -> None:
    carrier: Children = children(2, 1)
    with workflow("w") as wf:

        @task(inject_context=True, max_retries=2)
        def holds(ctx: TaskExecutionContext, number: int) -> int:
            with ctx.get_channel().lock("key"):
                if not (tmp_path / "first").exists():
                    (tmp_path / "first").write_text(str(os.getppid()))
                    time.sleep(60)
                return number

        names = ["h0", "h1"]
        group = parallel(*[holds(task_id=name, number=n) for n, name in enumerate(names)])
        run = wf.start(executor=carrier, start_node=group.task_id)
        wait_until((tmp_path / "first").exists)
        wait_until(lambda: (tmp_path / "first").read_text())
        template = int((tmp_path / "first").read_text())
        station = int(Path(f"/proc/{template}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(station, signal.SIGKILL)
        run.result(30)
    assert results(run.context, names) == [0, 1]


def test_many_exchanges_that_fail_change_nothing(children: Any) -> None:
    carrier: Children = children(2, 2, faults=0.4)
    with workflow("w") as wf:

        @task(inject_context=True)
        def adds(ctx: TaskExecutionContext, number: int) -> int:
            ctx.get_channel().atomic_add("count", 1)
            return number

        names = [f"a{n}" for n in range(300)]
        group = parallel(*[adds(task_id=name, number=n) for n, name in enumerate(names)])
        _, context = wf.execute(executor=carrier, ret_context=True, start_node=group.task_id)
    assert results(context, names) == list(range(300))
    assert context.get_channel().get("count") == 300
    assert len(carrier.happened) == 4, carrier.happened


def test_a_fork_of_the_program_keeps_nobody_waiting(children: Any) -> None:
    """It has copies of what stands for workers here; the end of one is seen all the same."""
    carrier = children(1, 1)
    forked: list[int] = []
    with workflow("w") as wf:

        @task
        def begins() -> None:
            pid = os.fork()
            if not pid:
                time.sleep(60)
                os._exit(0)
            forked.append(pid)

        @task(handler="process", max_retries=1)
        def warm() -> int:
            return os.getpid()

        @task(handler="process", inject_context=True, max_retries=1)
        def crashes(ctx: TaskExecutionContext) -> str:
            if not ctx.retry_count:
                os._exit(3)
            return "again"

        warm >> begins >> crashes
        try:
            assert wf.execute(executor=carrier) == "again"
        finally:
            for pid in forked:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
