"""Bodies that change their arguments work on large data as on a small sample, and nobody else sees the change."""

import array

import numpy as np
import pytest

from graflow_fast import task, workflow

EXECUTORS = pytest.mark.parametrize("executor", ["auto", "process"])
SIZES = pytest.mark.parametrize("size", [100, 300_000], ids=["sample", "real data"])


def clip(values):
    before = float(values.sum())
    values[values > 1] = 1.0
    return before, float(values.sum())


@EXECUTORS
@SIZES
def test_an_item_of_a_map(executor, size):
    """The same array for several items of one worker: each finds it as it was."""
    values = np.full(size, 2.0)
    with workflow("w") as wf:
        task("clip")(clip).map([values] * 4, task_id="m", chunk=1)
        assert wf.execute(executor=executor, max_workers=1) == [(2.0 * size, 1.0 * size)] * 4
    assert values[0] == 2.0


@EXECUTORS
@SIZES
def test_a_bound_argument_of_members(executor, size):
    values = np.full(size, 2.0)
    with workflow("w") as wf:
        member = task("clip")(clip)
        members = [member(task_id=f"m{number}", values=values) for number in range(3)]
        members[0] | members[1] | members[2]
        _, context = wf.execute(executor=executor, max_workers=1, ret_context=True)
    assert [context.get_result(each.task_id) for each in members] == [(2.0 * size, 1.0 * size)] * 3


@SIZES
def test_a_result_that_goes_on(size):
    """What a body makes of its argument goes on as its result, and is changed again, in a worker and in the program."""
    with workflow("w") as wf:

        @task
        def make():
            return np.zeros(size)

        @task
        def add(values):
            values += 1
            return values

        make >> add(task_id="one") >> add(task_id="two")
        result, context = wf.execute(executor="process", max_workers=1, ret_context=True)
    assert (float(result[0]), float(result[-1])) == (2.0, 2.0)
    result[0] = 9.0
    assert [float(context.get_result(name)[0]) for name in ("make", "one")] == [0.0, 1.0]


@SIZES
def test_frames(size):
    pandas = pytest.importorskip("pandas")

    def clean(frame):
        frame.loc[frame["v"] > 1, "v"] = 1.0
        return float(frame["v"].sum())

    with workflow("w") as wf:
        task("clean")(clean).map([pandas.DataFrame({"v": np.full(size, 2.0)})], task_id="m")
        assert wf.execute(max_workers=1) == [float(size)]


@SIZES
def test_arrays_of_the_standard_library(size):
    def negate(values):
        values[0] = -1.0
        return values[0], len(values)

    with workflow("w") as wf:
        task("negate")(negate).map([array.array("d", bytes(8 * size))], task_id="m")
        assert wf.execute(max_workers=1) == [(-1.0, size)]
