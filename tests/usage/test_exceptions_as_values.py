"""Exceptions that are values (kept by a map, returned, bound, written), whatever their constructors take and do."""

from __future__ import annotations

import dataclasses

import pytest

from graflow_fast import Executor, parallel, task, workflow

EVERYWHERE = pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])


class Adds(ValueError):
    """Its constructor changes what it is given: called again, it would change it twice."""

    def __init__(self, text):
        super().__init__(f"added to {text}")
        self.text = text


class TakesOthers(LookupError):
    """Its constructor takes other arguments than it keeps."""

    def __init__(self, row, *, column):
        super().__init__(f"{row['id']} {column}")
        self.row, self.column = row, column


class Made(KeyError):
    """The same by `__new__`."""

    def __new__(cls, first, second):
        made = super().__new__(cls, f"{first}-{second}")
        made.second = second
        return made

    def __init__(self, first, second):
        self.args = (f"{first}-{second}",)


def of_a_function():
    """Classes that no module has."""

    class Adds(ValueError):
        def __init__(self, text):
            super().__init__(f"added to {text}")
            self.text = text

    class TakesOthers(LookupError):
        def __init__(self, row, *, column):
            super().__init__(f"{row['id']} {column}")
            self.row, self.column = row, column

    class Made(KeyError):
        def __new__(cls, first, second):
            made = super().__new__(cls, f"{first}-{second}")
            made.second = second
            return made

        def __init__(self, first, second):
            self.args = (f"{first}-{second}",)

    return Adds, TakesOthers, Made


@dataclasses.dataclass
class Outcome:
    """A value with an exception in it."""

    error: Exception


@pytest.fixture(params=["of a module", "of a function"])
def errors(request):
    """One exception of each class."""
    adds, others, made = (Adds, TakesOthers, Made) if request.param == "of a module" else of_a_function()
    return [adds("it"), others({"id": 3}, column="b"), made(1, 2)]


def told(errors):
    return [(type(error).__name__, str(error), error.args, vars(error)) for error in errors]


EXPECTED = [
    ("Adds", "added to it", ("added to it",), {"text": "it"}),
    ("TakesOthers", "3 b", ("3 b",), {"row": {"id": 3}, "column": "b"}),
    ("Made", "'1-2'", ("1-2",), {"second": 2}),
]


@EVERYWHERE
def test_a_map_that_keeps_them_hands_them_on(errors, executor):
    with workflow("kept") as wf:

        @task
        def fail(number):
            raise errors[number]

        @task
        def look(outcomes):
            return told(outcomes)

        fail.map(range(3), on_error="keep") >> look
        assert wf.execute(executor=executor, max_workers=2) == EXPECTED


@EVERYWHERE
def test_they_are_results_arguments_and_values_of_the_channel(errors, executor):
    with workflow("values") as wf:

        @task(inject_context=True)
        def make(ctx, bound):
            ctx.get_channel().set("written", Outcome(bound[1]))
            return bound

        @task
        def look(made, written):
            return told(made), told([written.error])

        parallel(make(task_id="made", bound=errors), make(task_id="other", bound=errors)) >> look
        result = wf.execute(executor=executor, max_workers=2)
        assert result == (EXPECTED, EXPECTED[1:2])


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_they_are_what_a_task_before_returned(errors, schedule):
    with workflow("before") as wf:

        @task(handler="process")
        def make():
            return errors

        @task(handler="process")
        def look(given):
            return told(given)

        make >> look
        assert wf.execute(schedule=schedule, max_workers=1) == EXPECTED


def test_calls_take_and_return_them(errors):
    with Executor(max_workers=1) as pool:
        assert told(pool.submit(list, errors).result()) == EXPECTED


def test_a_durable_run_keeps_them(errors, tmp_path):
    def build():
        with workflow("kept") as wf:

            @task
            def make():
                return errors

            @task
            def look(make):
                return told(make)

            make >> look
        return wf

    for _ in range(2):  # the second run reads what the first one wrote
        assert build().execute(durable=str(tmp_path / "runs.db"), run="one") == EXPECTED
