"""The process that starts workers is killed with all of them, and so are the next ones as soon as they are there."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Any

import psutil
import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast._pool import registry


@pytest.fixture
def _no_warm_pool() -> Any:
    registry.shutdown_all()
    yield
    registry.shutdown_all()


def children() -> list[psutil.Process]:
    return psutil.Process().children()


@pytest.mark.usefixtures("_no_warm_pool")
@pytest.mark.filterwarnings("ignore:A pool of")
def test_a_run_goes_on_when_each_template_is_killed_for_a_while(tmp_path: Any) -> None:
    """Nobody waits for workers that were asked of one that is gone."""
    others = {child.pid for child in children()}
    killed: list[int] = []
    enough = threading.Event()

    def kill_all() -> None:
        while not enough.is_set() and len(killed) < 6:
            for template in children():
                if template.pid in others or template.pid in killed:
                    continue
                try:
                    if not killed and not template.children():
                        continue  # the first one gets as far as having workers
                    victims = [*template.children(), template] if not killed else [template]
                except psutil.NoSuchProcess:
                    continue
                killed.append(template.pid)
                for victim in victims:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(victim.pid, signal.SIGKILL)

    @task(max_retries=20)
    def work(n: int) -> int:
        import time

        time.sleep(0.02)
        return n

    with workflow("killed") as wf:
        parallel(*[work(task_id=f"w{n}", n=n) for n in range(40)])
        killer = threading.Thread(target=kill_all)
        killer.start()
        try:
            _, context = wf.execute(executor="process", max_workers=2, ret_context=True)
        finally:
            enough.set()
            killer.join()
    assert [context.get_result(f"w{n}") for n in range(40)] == list(range(40))
    assert len(killed) == 6
