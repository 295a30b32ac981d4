"""`max_concurrency` holds for all places together, although members wait in workers beyond it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.coordination.coordinator import CoordinationBackend
from graflow_fast.trace.noop import NoopTracer


def note(path: str, mark: str) -> None:
    """Append a mark: what is written at once is one piece, whoever writes beside it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, mark.encode())
    os.close(descriptor)


def at_once(path: Path) -> int:
    """The most bodies that were between their two marks at one time."""
    most = running = 0
    for mark in path.read_text():
        running += 1 if mark == "+" else -1
        most = max(most, running)
    return most


def busy(path: str, seconds: float = 0.0002) -> None:
    note(path, "+")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        os.sched_yield()
    note(path, "-")


def wait_for(path: str) -> None:
    end = time.monotonic() + 60
    while not os.path.exists(path):
        assert time.monotonic() < end, f"nobody made {path}"
        os.sched_yield()


@pytest.mark.parametrize(("limit", "workers"), [(1, 2), (1, 3), (2, 3), (3, 3)])
def test_no_more_members_run_at_once_than_may(limit: int, workers: int, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    with workflow("limited") as flow:
        member = task("member", max_concurrency=limit)(lambda log: busy(log))
        parallel(*[member(task_id=f"m{number}", log=log) for number in range(400)])
    flow.execute(executor="process", max_workers=workers)
    assert len(Path(log).read_text()) == 800
    assert at_once(Path(log)) <= limit


def test_each_lane_has_its_own_limit_and_holds_up_nobody_else(tmp_path: Path) -> None:
    logs = [str(tmp_path / "one"), str(tmp_path / "two")]
    flag = str(tmp_path / "flag")
    with workflow("lanes") as flow:
        one = task("one", max_concurrency=1)(lambda log: busy(log))
        two = task("two", max_concurrency=2)(lambda log: busy(log))
        waiting = task("waiting", max_concurrency=1)(wait_for)
        members: list[Any] = []
        for number in range(200):
            members += [one(task_id=f"one{number}", log=logs[0]), two(task_id=f"two{number}", log=logs[1])]
        members.insert(200, waiting(task_id="waits", path=flag))
        members.append(task("the last")(lambda: note(flag, "+")))
        parallel(*members)
    flow.execute(executor="process", max_workers=3)
    assert [len(Path(log).read_text()) for log in logs] == [400, 400]
    assert (at_once(Path(logs[0])), at_once(Path(logs[1])) <= 2) == (1, True)


def test_a_limit_of_one_leaves_the_other_worker_to_the_others(tmp_path: Path) -> None:
    flag = str(tmp_path / "flag")
    log = str(tmp_path / "log")

    def body(number: int) -> None:
        if number == 100:
            wait_for(flag)
        busy(log, 0.0)

    with workflow("beside") as flow:
        limited = task("limited", max_concurrency=1)(body)
        members = [limited(task_id=f"m{number}", number=number) for number in range(2_000)]
        members.append(task("the last")(lambda: note(flag, "+")))
        parallel(*members)
    flow.execute(executor="process", max_workers=2)
    assert at_once(Path(log)) == 1


def test_it_holds_when_workers_die_and_bodies_are_tried_again(tmp_path: Path) -> None:
    log = str(tmp_path / "log")

    def body(ctx: Any, number: int) -> int:
        busy(log)
        if ctx.retry_count == 0 and number % 40 == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        if ctx.retry_count == 0 and number % 40 == 9:
            raise ValueError("not yet")
        return number

    with workflow("dying") as flow:
        member = task("member", inject_context=True, max_concurrency=1, max_retries=3)(body)
        parallel(*[member(task_id=f"m{number}", number=number) for number in range(200)])
    _, context = flow.execute(executor="process", max_workers=3, ret_context=True)
    assert [context.get_result(f"m{number}") for number in range(200)] == list(range(200))
    assert at_once(Path(log)) == 1


def test_it_holds_for_processes_and_threads_together(tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    with workflow("mixed") as flow:
        member = task("member", max_concurrency=1)(lambda log: busy(log))
        inner = parallel(*[member(task_id=f"inner{number}", log=log) for number in range(100)])
        inner.with_execution(backend=CoordinationBackend.THREADING)
        lead = task("lead")(lambda: None)
        lead >> inner
        parallel(*[member(task_id=f"outer{number}", log=log) for number in range(300)], lead)
    flow.execute(executor="process", max_workers=2)
    assert len(Path(log).read_text()) == 800
    assert at_once(Path(log)) == 1


class Watching(NoopTracer):
    """Sees how many attempts are under way, those included that wait in a worker."""

    def __init__(self) -> None:
        super().__init__(enable_runtime_graph=False)
        self.under_way = self.most = 0

    def clone(self, trace_id: str) -> Watching:
        return self

    def on_task_start(self, task: Any, context: Any) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)

    def on_task_end(self, task: Any, context: Any, result: Any = None, error: Exception | None = None) -> None:
        self.under_way -= 1


@pytest.mark.parametrize("durable", [False, True])
def test_members_wait_in_workers_beyond_the_limit_but_not_where_ends_are_written_down(
    durable: bool, tmp_path: Path
) -> None:
    tracer = Watching()
    with workflow("ahead", tracer=tracer) as flow:
        member = task("member", max_concurrency=1)(lambda: None)
        parallel(*[member(task_id=f"m{number}") for number in range(200)])
    flow.execute(executor="process", max_workers=2, durable=str(tmp_path / "store") if durable else None)
    ahead = tracer.most - 1  # the group is under way, too
    assert ahead == 1 if durable else ahead > 2
