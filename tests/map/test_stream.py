"""`wf.stream`: results while the run goes on, no more items read than are needed."""

import itertools
import os
import time

import pytest

from graflow_fast import task, workflow
from graflow_fast.exceptions import GraphCompilationError, ParallelGroupError

EXECUTORS = ["inline", "thread", "process"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_endless_map_is_read_as_far_as_needed(executor):
    read = itertools.count()
    with workflow("w") as wf:
        task("work")(lambda x: x * 2).map(read)
        stream = wf.stream(executor=executor, max_workers=2)
        assert list(itertools.islice(stream, 1000)) == list(range(0, 2000, 2))
        stream.close()
    assert next(read) < 2_000_000


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_results_come_before_the_end(executor, tmp_path):
    gate = str(tmp_path / "gate")
    with workflow("w") as wf:

        @task
        def work(x):
            while x == 5 and not os.path.exists(gate):
                time.sleep(0.01)
            return x

        work.map(range(10), chunk=1)
        stream = wf.stream(executor=executor, max_workers=2)
        assert [next(stream) for _ in range(5)] == [0, 1, 2, 3, 4]
        os.close(os.open(gate, os.O_CREAT))
        assert list(stream) == [5, 6, 7, 8, 9]


def test_the_last_map_is_the_one_nothing_else_maps_behind():
    with workflow("w") as wf:
        first, second = task("first")(lambda x: x + 1), task("second")(lambda x: x * 10)
        total = task("total")(lambda values: sum(values))
        first.map([1, 2]) >> second.map() >> total
        assert list(wf.stream()) == [20, 30]


def test_failing_items_yield_nothing_and_the_end_raises():
    with workflow("w") as wf:
        task("work")(lambda x: 1 // x).map([1, 0, 1])
        seen = []
        with pytest.raises(ParallelGroupError):
            for value in wf.stream():
                seen.append(value)
    assert seen == [1, 1]


def test_a_workflow_without_map():
    with workflow("w") as wf:
        task("work")(lambda: 1)
        with pytest.raises(GraphCompilationError, match="no map"):
            next(wf.stream())


def test_closing_stops_the_run_and_frees_the_pool():
    for _ in range(40):  # a chunk that was taken back must not come to life in the next run
        with workflow("w") as wf:
            task("work")(lambda x: x).map(itertools.count())
            stream = wf.stream(executor="process", max_workers=2)
            next(stream)
            stream.close()
            assert list(stream) == []
        with workflow("w2") as wf:
            task("work")(lambda x: -x).map(range(3))
            assert wf.execute(executor="process", max_workers=2) == [0, -1, -2]
