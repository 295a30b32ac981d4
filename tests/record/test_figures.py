"""Counts and sums."""

from __future__ import annotations

from math import nan

import pytest
from runs import Recorder, census

from graflow_fast._record.columns import FAILED, RETRIED, RUNNING, SKIPPED
from graflow_fast._record.figures import HISTOGRAM_EDGES


def test_of_functions():
    made = Recorder()
    for number in range(100):
        made.row(f"batch_{number}", number, number + 0.01 * (number + 1), outcome=FAILED if number == 7 else 0)
    made.row("other", 0, 200, worker=1)
    made.row("skipped", outcome=SKIPPED)
    other, batch = made.run().figures.functions
    assert (other.function, other.attempts, other.total) == ("other", 1, 200)
    assert (batch.function, batch.attempts, batch.retries, batch.failures) == ("batch", 100, 0, 1)
    found = (batch.total, batch.mean, batch.median, batch.percentile_95, batch.longest)
    assert found == pytest.approx((50.5, 0.505, 0.51, 0.96, 1.0))
    assert made.run().columns().names[made.run().columns().node[batch.longest_row]] == "batch_99"
    assert sum(batch.histogram) == 100
    assert len(batch.histogram) == len(HISTOGRAM_EDGES) + 1


def test_of_workers_with_bodies_that_overlap():
    """Two coroutines at a time are one busy time."""
    made = Recorder()
    made.row("a", 0, 2)
    made.row("b", 1, 3)
    made.row("c", 0.5, 3.5)
    made.row("d", 5, 6)
    made.row("e", 0, 1, worker=-1)
    made.row("f", 7, nan, outcome=RUNNING, worker=3)
    caller, first, third = made.run(ended=8.0).figures.by_worker
    assert (caller.worker, caller.busy) == (-1, 1)
    assert (first.worker, first.attempts, first.busy, first.first, first.last) == (0, 4, 4.5, 0, 6)
    assert (third.worker, third.busy) == (3, 1)


def test_groups_are_no_tasks():
    figures = census().figures
    assert (figures.tasks, figures.retries, figures.known, figures.not_run) == (6, 1, 6, 0)
    assert figures.counts[RETRIED] == 1


def test_of_nothing():
    figures = Recorder().run().figures
    assert (figures.tasks, figures.wall, figures.busy, figures.functions, figures.by_worker) == (0, 0.0, None, [], [])
    assert Recorder().run().summary() == "✓ census: 0 tasks in 0 µs"
    assert Recorder().run().verdict() == ["Completed in 0 µs: 0 tasks ran."]


def test_a_definition_of_which_instances_run_is_no_task_that_did_not_run():
    made = Recorder(schedule="sequential", outcome="failed")
    made.node("load")
    made.group("files", ["file_0", "file_1"])
    made.edge("files", "after")
    made.row("file_0", 0.0, 1.0, outcome=FAILED, branch=1)
    assert (made.run().figures.known, made.run().figures.not_run) == (3, 2)
