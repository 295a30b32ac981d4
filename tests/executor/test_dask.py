"""Dask's graphs on this package's workers."""

import os

import pytest

dask = pytest.importorskip("dask", reason="dask is not installed")

import graflow_fast.dask  # noqa: E402


def computed(executor, *values, **options):
    return dask.compute(*values, scheduler=graflow_fast.dask.get, executor=executor, **options)


def test_delayed_calls_run_in_worker_processes(shared):
    process = dask.delayed(os.getpid, pure=False)
    total = dask.delayed(sum)([dask.delayed(lambda number: number + 1)(number) for number in range(20)])
    found, first = computed(shared, total, process())
    assert found == 210
    assert first != os.getpid()


def test_a_graph_of_plain_tuples_is_computed(shared):
    graph = {"a": 1, "b": (sum, ["a", 2]), "c": (pow, "b", "a"), "unused": (divmod, 1, 0), "alias": "c"}
    assert graflow_fast.dask.get(graph, "c", executor=shared) == 3
    assert graflow_fast.dask.get(graph, ["b", ["a", "alias"]], executor=shared) == (3, (1, 3))


def test_an_executor_of_its_own_ends_with_the_call():
    assert graflow_fast.dask.get({"a": (pow, 2, 3)}, "a", num_workers=1) == 8


def test_an_error_is_that_of_the_task(shared):
    def fail():
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there"):
        computed(shared, dask.delayed(fail)())
    assert computed(shared, dask.delayed(pow)(2, 2)) == (4,)


def test_values_that_nobody_needs_any_more_are_let_go(shared):
    graph = graflow_fast.dask._task_spec.convert_legacy_graph({"a": 1, "b": (pow, "a", 2), "c": (pow, "b", 2)})
    assert graflow_fast.dask.Run(graph, shared).values_of({"c"}) == {"c": 1}


def test_dask_takes_an_executor_as_it_is(shared):
    assert dask.compute(dask.delayed(pow)(2, 5), scheduler=shared) == (32,)


def test_a_bag_is_computed(shared):
    bag = pytest.importorskip("dask.bag", reason="dask.bag is not installed")
    numbers = bag.from_sequence(range(50), npartitions=5)
    assert computed(shared, numbers.map(lambda number: number * 2).sum()) == (2450,)
