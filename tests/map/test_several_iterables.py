"""A map over several iterables, with arguments for all items, and with items that fail: as users write them."""

import itertools
import operator

import pytest

from graflow_fast import task, workflow
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError, ParallelGroupError

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])


def results(define, executor="inline"):
    """The results of the map that `define` defines."""
    with workflow("w") as wf:
        define()
        return wf.execute(executor=executor, max_workers=1)


def add(a, b=100, c=0):
    return a + b + c


@EXECUTORS
def test_iterables_side_by_side(executor):
    """As with the map of Python and of concurrent.futures: the first parameters, up to the shortest."""
    assert results(lambda: task("add")(add).map([1, 2, 3], (10, 20)), executor) == [11, 22]


def test_an_endless_one_among_them():
    assert results(lambda: task("add")(add).map([1, 2], itertools.count(10))) == [11, 13]


@EXECUTORS
def test_arguments_for_all_items(executor):
    """Also where the first parameter is one of them, and those of an instance."""
    assert results(lambda: task("add")(add).map([1, 2], b=5), executor) == [6, 7]
    assert results(lambda: task("add")(add).map([1, 2], [10, 20], c=1000), executor) == [1011, 1022]
    assert results(lambda: task("add")(add)(task_id="x", a=1).map([1, 2], c=3), executor) == [5, 6]


@EXECUTORS
def test_by_name(executor):
    def table(a, b):
        return f"{a}{b}"

    assert results(lambda: task("t")(table).map(zip={"b": [1, 2], "a": list("xy")}), executor) == ["x1", "y2"]
    assert results(lambda: task("t")(table).map(product={"a": list("xy"), "b": [1, 2]}), executor) == [
        "x1",
        "x2",
        "y1",
        "y2",
    ]


@EXECUTORS
def test_starmap(executor):
    """Tuples by position, mappings by name; what an item leaves open is filled as ever."""
    items = [(1, 2), (1,), (1, 2, 3), {"c": 5, "a": 1}]
    assert results(lambda: task("add")(add).starmap(items), executor) == [3, 101, 6, 106]
    assert results(lambda: task("add")(add).starmap([(1, 2)], c=7), executor) == [10]


def test_starmap_of_a_function_in_c():
    assert results(lambda: task("mul")(operator.mul).starmap([(2, 3), (4, 5)])) == [6, 20]
    assert results(lambda: task("max")(max).starmap([(2, 3), (4, 5)])) == [3, 5]


@EXECUTORS
def test_iterables_that_tasks_return(executor):
    with workflow("w") as wf:

        @task
        def load():
            return [10, 20]

        load >> task("add")(add).map([1, 2], load)
        assert wf.execute(executor=executor, max_workers=1) == [11, 22]


def test_zip_by_name_takes_iterables_of_one_length():
    with pytest.raises(GraflowRuntimeError, match=r"map\(zip=\.\.\.\) are not of one length"):
        results(lambda: task("add")(add).map(zip={"a": [1, 2, 3], "b": [1]}))


def test_a_second_run_of_iterators_is_an_error():
    with workflow("w") as wf:
        task("add")(add).map([1, 2], iter([1, 2]))
        assert wf.execute(executor="inline") == [2, 4]
        with pytest.raises(GraflowRuntimeError, match="used up"):
            wf.execute(executor="inline")


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda t: t.map([1], d=1), TypeError, "has no parameter 'd'"),
        (lambda t: t.map([1], on_eror="keep"), TypeError, "Did you mean 'on_error'"),
        (lambda t: t.map([1], zip={"a": [1]}), TypeError, "not by items and zip"),
        (lambda t: t.map(zip=[[1], [2]]), TypeError, "by the names of parameters"),
        (lambda t: t.map(zip={"z": [1]}), TypeError, "has no parameter 'z'"),
        (lambda t: t.map([1], [2], [3], [4]), TypeError, r"4 iterables for 3 open parameters \(a, b, c\)"),
        (lambda t: t.map([1], 7), TypeError, "takes an iterable"),
        (lambda t: t.map([1], on_error="ignore"), ConfigError, "must be 'raise', 'keep'"),
    ],
)
def test_mistakes(wrong, error, said):
    with pytest.raises(error, match=said):
        wrong(task("add")(add))


def test_run_for_unit_tests():
    assert task("add")(add).map([1, 2], [10, 20]).run() == [11, 22]
    assert task("add")(add).starmap([(1, 2)], c=1).run() == [4]


def invert(n):
    return 1 / n


def shown(values):
    return [type(value).__name__ if isinstance(value, Exception) else value for value in values]


@EXECUTORS
def test_partial_results(executor):
    """Kept with the exceptions in their places, or without the items that failed."""
    keep = results(lambda: task("i")(invert).map([1, 0, 4], on_error="keep"), executor)
    assert shown(keep) == [1.0, "ZeroDivisionError", 0.25]
    assert results(lambda: task("i")(invert).map([1, 0, 4], on_error="skip"), executor) == [1.0, 0.25]
    with pytest.raises(ParallelGroupError, match="1 of 3 items failed"):
        results(lambda: task("i")(invert).map([1, 0, 4], on_error="raise"), executor)


@pytest.mark.parametrize("executor", ["inline", "process"])
@pytest.mark.parametrize("ordered", [True, False])
def test_partial_results_in_a_stream(executor, ordered):
    def streamed(on_error):
        with workflow("w") as wf:
            task("i")(invert).map([1, 0, 4], on_error=on_error, ordered=ordered)
            return shown(wf.stream(executor=executor, max_workers=1))

    assert streamed("keep") == [1.0, "ZeroDivisionError", 0.25]
    assert streamed("skip") == [1.0, 0.25]


def test_what_follows_gets_the_partial_results():
    with workflow("w") as wf:

        @task
        def total(values):
            return sum(values)

        task("i")(invert).map([1, 0, 4], on_error="skip") >> total
        assert wf.execute(executor="inline") == 1.25


def test_skipped_items_were_retried_first():
    calls = []

    def sometimes(n):
        calls.append(n)
        if n == 1:
            raise ConnectionError
        return n

    with workflow("w") as wf:
        task("s", max_retries=2)(sometimes).map([0, 1, 2], on_error="skip")
        assert wf.execute(executor="inline") == [0, 2]
    assert calls.count(1) == 3
