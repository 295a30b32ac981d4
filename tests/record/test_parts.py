"""Parts of a record that Rust writes: readers get what Python's own JSON would have given them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graflow_fast import parallel, task
from graflow_fast._core import nodes_as_json, runs_of
from graflow_fast._run.recording import _describe
from graflow_fast.core.task import TaskWrapper

HOSTILE = ['"', "\\", "a\nb\tc\x00\x1f", "\u2028é漢😀", "\ud800 half", "", "plain_000001"]


def test_nodes_are_json_whatever_their_names_are() -> None:
    @task
    def first() -> None:
        pass

    @task("second")
    def quoted() -> None:
        pass

    quoted._definition.func.__name__ = 'quo"ted'
    names = [*HOSTILE, "x", "all"]
    tasks: list[Any] = [first(task_id=f"t{number}") for number in range(len(HOSTILE))]
    tasks += [quoted, parallel(first(task_id="m1"), first(task_id="m2"))]
    part, groups = nodes_as_json(names, tasks, (1, len(tasks)), TaskWrapper, _describe)
    assert json.loads(part.decode("utf-8", "surrogatepass")) == {
        "first": 1,
        "names": names[1:],
        "kinds": "t" * len(HOSTILE) + "g",
        "functions": ["first", 'quo"ted', ""],
        "function": [0] * (len(HOSTILE) - 1) + [1, 2],
    }
    assert groups == [len(names) - 1]
    assert nodes_as_json(names, tasks, (2, 2), TaskWrapper, _describe)[1] == []


@pytest.mark.parametrize(
    ("numbers", "runs"),
    [
        ([], []),
        ([3, 4, 5, 9], [(3, 3), (9, 1)]),
        ([5, 4, 5], [(5, 1), (4, 2)]),
        ([2**32 - 1, 0], [(2**32 - 1, 1), (0, 1)]),
        ([7, 7], [(7, 1), (7, 1)]),
    ],
)
def test_numbers_that_follow_each_other_are_a_run(numbers: list[int], runs: list[tuple[int, int]]) -> None:
    assert runs_of(numbers) == runs
