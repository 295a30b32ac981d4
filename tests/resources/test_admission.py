"""Tasks that take something start when that much is free, whatever runs them; what can never start says so at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.core.retry import RetryPolicy
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError

EXECUTORS = ["auto", "inline", "thread", "process"]
#: Where bodies can run side by side at all.
TOGETHER = ["thread", "process"]


class Seats:
    """Counts in a folder what the bodies that run have taken, from any process; more than there is fails the body."""

    def __init__(self, folder: Path, total: float) -> None:
        self.folder = str(folder)
        self.total = total

    @contextmanager
    def taken(self, name: str, amount: float) -> Iterator[None]:
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(str(amount))
        try:
            # Whoever came later sees both; so does the earlier one, if it looks later.
            for _ in range(20):
                names = [each for each in os.listdir(self.folder) if not each.startswith(".")]
                together = sum(map(self._amount, names))
                if together > self.total:
                    raise AssertionError(f"{together} of {self.total} are taken: {names}")
            yield
        finally:
            os.unlink(os.path.join(self.folder, name))

    def _amount(self, name: str) -> float:
        try:
            with open(os.path.join(self.folder, name)) as file:
                return float(file.read() or 0)
        except FileNotFoundError:
            return 0.0


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_a_program_that_has_two_licences(tmp_path: Path, executor: str, schedule: str) -> None:
    """Members of a group and all that is ready wait for each other; the answer is that of a run alone."""
    seats = Seats(tmp_path, 2)
    with workflow("w", executor=executor, max_workers=4, schedule=schedule, resources={"license": 2}) as wf:

        def solve(name: str, amount: int) -> int:
            with seats.taken(name, amount):
                return amount * 10

        one = task("one", resources={"license": 1})(solve)
        two = task("two", resources={"license": 2})(solve)
        instances = [
            (two if n % 3 == 0 else one)(task_id=f"t{n}", name=f"t{n}", amount=1 + (n % 3 == 0)) for n in range(9)
        ]
        begin = task("begin")(lambda: None)
        if schedule == "parallel":
            for each in instances:
                begin >> each
        else:
            begin >> parallel(*instances)
        _, context = wf.execute(ret_context=True)
    assert [context.get_result(f"t{n}") for n in range(9)] == [20, 10, 10] * 3


@pytest.mark.parametrize("executor", TOGETHER)
def test_different_tasks_share_what_there_is(tmp_path: Path, executor: str) -> None:
    """`cpus` and `memory` are counted over all tasks; retries give back what they took."""
    seats = Seats(tmp_path, 3)
    totals = {"cpus": 3, "memory": "3GB"}
    with workflow("w", executor=executor, max_workers=4, resources=totals) as wf:

        def body(ctx: Any, amount: int) -> int:
            with seats.taken(ctx.task_id, amount):
                if ctx.retry_count == 0 and amount == 2:
                    raise ConnectionError
            return amount

        again = RetryPolicy(max_retries=1, initial_interval=0.0, jitter=False)
        big = task("big", cpus=2, memory="2GB", inject_context=True, retry_policy=again)(body)
        small = task("small", cpus=1, memory=1024**3, inject_context=True)(body)
        group = parallel(
            *[big(task_id=f"b{n}", amount=2) for n in range(3)], *[small(task_id=f"s{n}", amount=1) for n in range(4)]
        )
        group >> task("end")(lambda: "done")
        assert wf.execute() == "done"


@pytest.mark.parametrize("executor", EXECUTORS)
def test_items_of_a_map_take_each_its_own(tmp_path: Path, executor: str) -> None:
    seats = Seats(tmp_path, 2)
    with workflow("w", executor=executor, max_workers=4, resources={"slot": 2}) as wf:

        @task(resources={"slot": 1})
        def each(n: int) -> int:
            with seats.taken(f"i{n}", 1):
                return n * n

        @task(resources={"slot": 2})
        def whole() -> str:
            with seats.taken("whole", 2):
                return "whole"

        (each.map(range(8), task_id="squares") | whole) >> task("end")(lambda squares: squares)
        assert wf.execute() == [n * n for n in range(8)]


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    ("options", "totals", "message"),
    [
        ({"gpus": 2}, {"gpus": 1}, "Task 'work' takes gpus=2, but the run is given 1"),
        ({"cpus": 4096}, None, r"Task 'work' takes cpus=4096, but this machine has \d+, so it could never start"),
        ({"memory": "900TB"}, None, r"Task 'work' takes memory='900TB', but this machine has '[\d.]+GB'"),
        ({"resources": {"license": 1}}, None, "the run does not say how many of 'license' there are"),
        ({"resources": {"license": 3}}, {"license": 2}, "takes resources={'license': 3}, but the run is given 2"),
    ],
    ids=["gpus", "cpus", "memory", "unknown", "named"],
)
def test_what_can_never_start_is_an_error_at_the_start(executor: str, options: Any, totals: Any, message: str) -> None:
    ran = []
    with workflow("w", executor=executor) as wf:
        task("first")(lambda: ran.append(1)) >> task("work", **options)(lambda: None)
        with pytest.raises(ConfigError, match=message.replace("{", r"\{").replace("}", r"\}")):
            wf.execute(resources=totals)
    assert ran == []


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_task_made_by_a_body_that_can_never_start(executor: str) -> None:
    with workflow("w", executor=executor, resources={"license": 1}) as wf:

        @task(inject_context=True)
        def make(ctx: Any) -> None:
            ctx.next_task(task("more", resources={"license": 2})(lambda: None))

        with pytest.raises((ConfigError, GraflowRuntimeError), match="Task 'more' takes resources="):
            wf.execute()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cpus": "two"}, "cpus='two' must be a number, 0 or more"),
        ({"cpus": -1}, "cpus=-1 must be a number"),
        ({"gpus": 0.5}, "gpus=0.5 must be a whole number"),
        ({"memory": "much"}, "memory='much' is not a size"),
        ({"resources": ["license"]}, "resources=['license'] must be a dictionary"),
        ({"resources": {"cpus": 1}, "cpus": 2}, "cpus is given twice"),
    ],
)
def test_amounts_that_are_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        task("t", **options)(lambda: None)


def test_totals_that_are_none() -> None:
    with pytest.raises(ConfigError, match="license='many' must be a number"):
        workflow("w", resources={"license": "many"})


def test_nothing_is_taken_by_nought() -> None:
    """So a program can be told its amounts: `gpus=0` runs on a machine without any."""
    with workflow("w") as wf:
        task("t", gpus=0, cpus=0, memory=0, resources={"license": 0})(lambda: "ran")
        assert wf.execute() == "ran"
