"""Two streams read in turns in one thread: each runs its own functions, whoever ends first."""

import pytest

from graflow_fast import chain, parallel, task, workflow


def made(name, way):
    """Return a workflow whose items enqueue tasks of its own, under names that the other has, too."""
    with workflow(name) as wf:

        @task(id="x")
        def x():
            return f"x of {name}"

        @task(id="y")
        def y():
            return f"y of {name}"

        @task(id="each", inject_context=True)
        def each(ctx, item):
            if item == 1:
                first, second = x(task_id="new_x"), y(task_id="new_y")
                ctx.next_task({"chain": chain, "group": parallel}[way](first, second))
            return name, item

        each.map(range(4), task_id="map", chunk=1)

    return wf


def read(streams, order):
    """Read the streams in turns until all have ended; return what each gave."""
    given = [[] for _ in streams]
    going = dict(enumerate(streams))
    while going:
        for index in order(list(going)):
            try:
                given[index].append(next(streams[index]))
            except StopIteration:
                going.pop(index, None)
    return given


@pytest.mark.parametrize("way", ["chain", "group"])
@pytest.mark.parametrize("order", [list, lambda turns: turns[::-1], lambda turns: turns[:1] + turns], ids=range(3))
@pytest.mark.parametrize("executor", ["process", "thread", "inline"])
def test_each_stream_runs_its_own_functions(executor, order, way):
    names = ["A", "B", "C"]
    contexts, streams = [], []
    for name in names:
        wf = made(name, way)
        prepare = wf._prepare
        wf._prepare = lambda *arguments, prepare=prepare: contexts.append(prepare(*arguments)) or contexts[-1]
        streams.append(wf.stream("map", executor=executor, max_workers=1))
    given = read(streams, order)
    assert [sorted(each) for each in given] == [[(name, item) for item in range(4)] for name in names]
    found = [[context.get_result(key) for key in ("new_x", "new_y")] for context in contexts]
    assert sorted(found) == [[f"x of {name}", f"y of {name}"] for name in names]


@pytest.mark.parametrize("first_closed", [0, 1])
def test_closing_one_leaves_the_other_as_it_was(first_closed):
    streams = [made(name, "chain").stream("map", executor="process", max_workers=1) for name in ("A", "B")]
    assert [next(stream) for stream in streams] == [("A", 0), ("B", 0)]
    streams[first_closed].close()
    other = 1 - first_closed
    assert list(streams[other]) == [("AB"[other], item) for item in (1, 2, 3)]


def test_results_that_name_tasks_are_loaded_after_the_run_by_the_run_they_came_from():
    contexts = {}
    for name in ("A", "B"):
        with workflow(name) as wf:

            @task
            def inner():
                return "inner of " + name

            @task
            def giver():
                return [inner]

            _, contexts[name] = wf.execute("giver", executor="process", max_workers=1, ret_context=True)
    for _, context in contexts.items():
        (found,) = context.get_result("giver")
        assert found.task_id == "inner"
