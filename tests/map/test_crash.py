"""A dead worker or a limit costs a map the item that was running, and nothing else."""

import os
import signal
import time

import numpy as np
import pytest

from graflow_fast import task, workflow
from graflow_fast._places.process import processes
from graflow_fast._wire.shared import segments
from graflow_fast.exceptions import LostMutationWarning, ParallelGroupError, TaskTimeoutError, WorkerCrashedError


@pytest.mark.parametrize("chunk", [None, 500])
def test_only_the_item_that_crashes_is_charged(chunk):
    with workflow("w") as wf:

        @task
        def work(x):
            if x == 700:
                os.kill(os.getpid(), signal.SIGKILL)
            return x

        work.map(range(2000), chunk=chunk).with_execution(policy="best_effort")
        result = wf.execute(max_workers=2)
    error = result[700]
    assert isinstance(error, WorkerCrashedError)
    assert error.task_id == "work_map[700]"
    assert error.signal == signal.SIGKILL
    assert [value for value in result if value is not error] == [i for i in range(2000) if i != 700]


def test_a_crash_is_retried(tmp_path):
    mark = str(tmp_path / "crashed")
    with workflow("w") as wf:

        @task(max_retries=1)
        def work(x):
            if x == 3 and not os.path.exists(mark):
                os.close(os.open(mark, os.O_CREAT))
                os._exit(1)
            return x

        work.map(range(10))
        assert wf.execute(max_workers=2) == list(range(10))


def test_a_poisonous_item_is_given_up():
    with workflow("w") as wf:

        @task(max_retries=100)
        def work(x):
            os._exit(1)

        work.map([1])
        with pytest.raises(ParallelGroupError) as info:
            wf.execute(max_workers=1)
    assert "attempt 3" in info.value.failed_tasks[0][1] + str(info.value)


def test_signals_that_strangers_send_are_tolerated_for_longer(tmp_path):
    mark = tmp_path / "deaths"

    @task(max_retries=100)
    def work(x):
        with mark.open("a") as file:
            file.write("x")
        if x == 3 and mark.stat().st_size < 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with workflow("w") as wf:
        work.map([3])
        assert wf.execute(max_workers=1) == [3]
    assert mark.stat().st_size == 9


@pytest.mark.parametrize("lost", [1, 2, 10])
def test_an_item_whose_report_was_lost_with_its_worker_is_not_charged(tmp_path, monkeypatch, lost):
    """Its body had ended, so it did not kill the worker; unless that happens again and again."""
    adopt, left = processes.crossing.adopt, [None] * lost
    notes = tmp_path / "calls"

    def gone(data):
        if left and data[0] == processes.crossing.SHARED_MARK:
            left.pop()
            raise segments.Gone
        return adopt(data)

    monkeypatch.setattr(processes.crossing, "adopt", gone)

    @task(inject_context=True)
    def work(ctx, x):
        with notes.open("a") as file:
            file.write("x")
        ctx.get_channel().atomic_add("calls", 1)
        return np.ones(1 << 17)

    with workflow("w") as wf:
        work.map([1], chunk=1).with_execution(policy="best_effort")
        result, context = wf.execute(max_workers=1, ret_context=True)
    if lost < 3:
        assert result[0].sum() == 1 << 17
        assert notes.stat().st_size == lost + 1
    else:
        assert isinstance(result[0], WorkerCrashedError)
        assert notes.stat().st_size == 3
    assert context.channel.get("calls") == 1


def test_timeout_is_per_item():
    with workflow("w") as wf:

        @task(timeout=0.3)
        def work(x):
            if x == 2:
                time.sleep(60)
            return x

        work.map(range(5)).with_execution(policy="best_effort")
        result = wf.execute(max_workers=2)
    assert isinstance(result.pop(2), TaskTimeoutError)
    assert result == [0, 1, 3, 4]


def test_a_lost_mutation_is_told():
    seen = []
    with workflow("w") as wf:

        @task
        def work(x):
            seen.append(x)
            return x

        work.map(range(3))
        with pytest.warns(LostMutationWarning, match="'seen'"):
            assert wf.execute(max_workers=1) == [0, 1, 2]
    assert seen == []
