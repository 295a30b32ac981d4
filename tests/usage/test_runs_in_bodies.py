"""Bodies that run workflows and pools of their own: values of the program's classes go through all levels."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from graflow_fast import Executor, parallel, task, workflow

OUTER = pytest.mark.parametrize("outer", ["inline", "thread", "process"])
INNER = pytest.mark.parametrize("inner", ["inline", "thread", "process", "auto"])


def of_the_program():
    """Classes that no module has, as those of a script."""

    class Row:
        def __init__(self, number):
            self.number = number

        def doubled(self):
            return Row(2 * self.number)

    class Odd(ValueError):
        def __init__(self, row):
            super().__init__(f"odd {row.number}")
            self.row = row

    return SimpleNamespace(Row=Row, Odd=Odd)


def run_inner(value, classes, executor):
    """Run a workflow of three tasks; return what its last one makes of a value."""

    @task
    def double(row):
        assert type(row) is classes.Row
        return row.doubled()

    @task
    def fail(row):
        raise classes.Odd(row)

    @task(inject_context=True)
    def last(ctx):
        first, second = (ctx.get_result(name) for name in ("first", "second"))
        assert type(first) is type(second) is classes.Row
        return [first, second, [type(error) is classes.Odd for error in ctx.get_result("failed")]]

    with workflow("inner") as wf:
        members = double(task_id="first", row=value), double(task_id="second", row=classes.Row(7))
        failing = fail.map([value], on_error="keep", task_id="failed")
        parallel(*members, failing) >> last
    return wf.execute(executor=executor, max_workers=1)


def numbers(result):
    return result[0].number, result[1].number, result[2]


@OUTER
@INNER
def test_classes_of_the_program_go_into_an_inner_run_and_out_again(outer, inner):
    classes = of_the_program()

    @task
    def body(value):
        return run_inner(value, classes, inner)

    @task
    def look(given):
        return [type(row) is classes.Row for row in given[:2]], numbers(given), given[0]

    with workflow("outer") as wf:
        body(task_id="body", value=classes.Row(3)) >> look
    for _ in range(2):
        types, found, row = wf.execute("body", executor=outer, max_workers=1)
        assert types == [True, True]
        assert found == (6, 14, [True])
        assert type(row) is classes.Row


@OUTER
@INNER
def test_classes_of_the_body_go_into_an_inner_run_and_out(outer, inner):
    @task
    def body():
        classes = of_the_program()
        result = run_inner(classes.Row(3), classes, inner)
        assert type(result[0]) is classes.Row
        return [numbers(result), result[0], classes.Row(5)]

    @task
    def look(given):
        found, first, second = given
        return found, type(first) is type(second), first.number, second.number

    with workflow("outer") as wf:
        body >> look
    assert wf.execute(executor=outer, max_workers=1) == ((6, 14, [True]), True, 6, 5)


@OUTER
def test_a_pool_in_a_body_takes_and_gives_classes_of_the_program(outer):
    classes = of_the_program()

    def double(row):
        return row.doubled()

    @task
    def body(row):
        with Executor(max_workers=1) as pool:
            return [pool.submit(double, row).result(), *pool.map(double, [row])]

    with workflow("outer") as wf:
        body.map([classes.Row(3), classes.Row(4)])
    rows = [row for rows in wf.execute(executor=outer, max_workers=1) for row in rows]
    assert [row.number for row in rows] == [6, 6, 8, 8]
    assert {type(row) for row in rows} == {classes.Row}


@dataclasses.dataclass
class Point:
    """A class that workers import."""

    x: int


@OUTER
@INNER
def test_three_levels(outer, inner):
    classes = of_the_program()

    def level(depth, value, executor):
        if not depth:
            return value.doubled(), Point(depth)

        @task
        def body(row):
            row, point = level(depth - 1, row, inner)
            assert type(row) is classes.Row
            return row.doubled(), point

        with workflow(f"level {depth}") as wf:
            body(task_id="only", row=value)
        return wf.execute("only", executor=executor, max_workers=1)

    row, point = level(3, classes.Row(1), outer)
    assert (type(row) is classes.Row, row.number, point) == (True, 16, Point(0))
