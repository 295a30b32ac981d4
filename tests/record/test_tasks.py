"""The rows one by one, and the words that select among them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import Recorder, census

from graflow_fast._record.columns import FAILED, RETRIED, SKIPPED
from graflow_fast._record.conditions import condition_of
from graflow_fast.exceptions import ConfigError

#: Conditions, and the tasks of `varied` that each selects; the page of the report is tested with the same.
CONDITIONS = json.loads((Path(__file__).parent / "conditions.json").read_text())


def varied():
    made = Recorder()
    made.row("fetch", 0, 0.5, worker=-1)
    made.row("batch_1", 1, 1.25, by="fetch", outcome=RETRIED, error=("OSError", "gone", "Traceback: OSError"))
    made.row("batch_1", 2, 3, by="batch_1", attempt=2)
    made.row("batch_2", 1, 4, by="fetch", worker=1, outcome=FAILED, error=("TimeoutError", "", "Traceback"))
    made.row("my task", 5, 7, ready=3)
    made.row("last", outcome=SKIPPED)
    return made.run(ended=8.0)


def test_a_task_has_names_and_words():
    fetch, tried, again, failed, waited, skipped = varied().tasks()
    assert (fetch.task, fetch.status, fetch.worker, fetch.released_by, fetch.ran) == (
        "fetch",
        "completed",
        -1,
        None,
        0.5,
    )
    assert (tried.function, tried.status, tried.error, tried.attempt) == ("batch", "retried", "OSError: gone", 1)
    assert (again.attempt, again.released_by, again.error, again.waited) == (2, "batch_1", None, 0.0)
    assert (failed.error, failed.traceback, failed.worker) == ("TimeoutError", "Traceback", 1)
    assert waited.waited == 2.0
    assert (skipped.status, skipped.worker, skipped.start, skipped.ran, skipped.waited) == (
        "skipped",
        None,
        None,
        None,
        None,
    )
    assert [task.row for task in varied().tasks()] == list(range(6))


def test_a_group_is_called_by_its_name():
    group = next(task for task in census().tasks() if task.task == "batches")
    assert (group.function, group.worker, group.start) == ("batches", None, None)


@pytest.mark.parametrize(("condition", "names"), CONDITIONS, ids=[condition for condition, _ in CONDITIONS])
def test_a_condition_selects(condition, names):
    chosen = condition_of(condition)
    assert [task.task for task in varied().tasks() if chosen(task)] == names


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("stauts=failed", "'stauts' is nothing that a task has.*Did you mean 'status'"),
        ("status=fialed", "'fialed' is no status.*Did you mean 'failed'"),
        ("status>failed", "is a text: compare it with = or !="),
        (">soon", "'soon' is no time: write 0.5s"),
        ("worker=one", "'one' is no whole number"),
    ],
)
def test_what_can_not_be_understood_is_named(condition, message):
    with pytest.raises(ConfigError, match=message):
        condition_of(condition)
