"""Threads beside a busy pool: the driver waits for both at once, without looking around."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from graflow_fast import parallel, task, workflow
from graflow_fast._places.process.processes import Processes

LONG = 30.0


@task(handler="process")
def until(path: str) -> bool:
    """Keep the pool busy until there is such a file."""
    deadline = time.monotonic() + LONG
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    return Path(path).exists()


def test_what_a_thread_reports_is_taken_in_while_the_pool_is_busy(tmp_path):
    """Nothing else wakes the driver: the pool's task goes on until the thread's last round."""
    done = tmp_path / "done"

    @task(handler="thread", inject_context=True, max_cycles=100)
    def rounds(ctx):
        if ctx.cycle_count < 50:
            ctx.next_iteration()
        else:
            done.touch()
        return ctx.cycle_count

    with workflow("w") as wf:
        parallel(until(task_id="busy", path=str(done)), rounds)
        _, context = wf.execute(max_workers=2, ret_context=True)
    assert context.get_result("busy")
    assert context.get_result("rounds") == 50


def test_what_a_thread_asks_of_the_driver_is_answered_while_the_pool_is_busy(tmp_path):
    done = tmp_path / "done"

    @task(handler="thread", inject_context=True)
    def asks(ctx):
        ctx.checkpoint(path=str(tmp_path / "kept"), deferred=False)
        done.touch()

    with workflow("w") as wf:
        parallel(until(task_id="busy", path=str(done)), asks)
        _, context = wf.execute(max_workers=2, ret_context=True)
    assert context.get_result("busy")


def test_nobody_looks_around_while_both_are_busy(tmp_path, monkeypatch):
    """A look every few milliseconds would be some hundred."""
    collect, looks, is_idle = Processes.collect, [], threading.Event()

    def counted(self, *arguments):
        if is_idle.is_set():
            looks.append(arguments)
        return collect(self, *arguments)

    monkeypatch.setattr(Processes, "collect", counted)
    done = tmp_path / "done"

    @task(handler="thread")
    def idle():
        time.sleep(0.5)  # until workers have started, and the pool has said so
        is_idle.set()
        time.sleep(1.0)
        is_idle.clear()
        done.touch()

    with workflow("w") as wf:
        parallel(until(task_id="busy", path=str(done)), idle)
        wf.execute(max_workers=2)
    assert len(looks) < 10
