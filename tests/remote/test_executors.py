"""What a run leaves of an executor that it ran on: the executor, which is its owner's, and nothing else."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ProcessPoolExecutor

from graflow_fast import parallel, task, workflow


@task
def number(n: int) -> int:
    return n


def test_nothing_waits_for_stations_after_a_run_and_nobody_keeps_the_executor() -> None:
    with ProcessPoolExecutor(2) as executor:
        for _ in range(2):
            with workflow("on an executor") as flow:
                parallel(*[number(task_id=f"n{i}", n=i) for i in range(4)])
            _, context = flow.execute(executor=executor, ret_context=True)
            assert [context.get_result(f"n{i}") for i in range(4)] == [0, 1, 2, 3]
        del context, flow
    kept = weakref.ref(executor)
    del executor
    for thread in threading.enumerate():
        if thread.name.startswith("graflow_fast_accept"):
            thread.join(5)
            assert not thread.is_alive()
    gc.collect()
    assert kept() is None
