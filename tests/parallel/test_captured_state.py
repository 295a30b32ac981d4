"""What a body in the calling process changes is what a later body in the pool captures, each time anew."""

import pytest

from graflow_fast import parallel, task, workflow

SEEN: list[int] = []


@pytest.mark.parametrize("handler", ["direct", "thread"])
def test_each_step_in_the_pool_captures_what_the_steps_before_it_left(handler):
    SEEN.clear()
    captured = []
    with workflow("captured") as wf:

        @task(handler=handler)
        def add():
            SEEN.append(1)
            captured.append(1)

        @task(handler="process")
        def see():
            return len(SEEN), len(captured)

        steps = [
            step
            for n in range(4)
            for step in (add(task_id=f"add{n}"), see(task_id=f"see{n}"), see(task_id=f"again{n}"))
        ]
        chained = steps[0]
        for step in steps[1:]:
            chained = chained >> step
        _, context = wf.execute(ret_context=True, max_workers=1)
    for name in ("see", "again"):
        assert [context.get_result(f"{name}{n}") for n in range(4)] == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_items_of_a_map_in_the_calling_process_count_too():
    SEEN.clear()
    with workflow("captured") as wf:

        @task(handler="direct")
        def add(item):
            SEEN.append(item)

        @task(handler="process")
        def see():
            return len(SEEN)

        see(task_id="first") >> add.map([1, 2, 3]) >> see(task_id="last")
        _, context = wf.execute(ret_context=True, max_workers=1)
    assert (context.get_result("first"), context.get_result("last")) == (0, 3)


#: What a notebook has in its cells, what a body in it returns, and the cell that is run between two executions.
CELLS = {
    "helper": ("def helper(): return 0", "helper()", "def helper(): return 1"),
    "list of a helper": ("seen = []\ndef helper(): return len(seen)", "helper()", "seen.append(1)"),
    "class": ("class Config: size = 0", "Config.size", "class Config: size = 1"),
    "attribute of a class": ("class Config: size = 0", "Config.size", "Config.size = 1"),
    "import": ("from operator import neg as change", "change(1)", "def change(x): return x"),
    "builtin": ("", "len([1])", "def len(x): return 5"),
    "method of a list": ("seen = []\ncount = seen.__len__", "count()", "seen.append(1)"),
    "task": ("@task\ndef inner(): return 0", "inner.run()", "@task\ndef inner(): return 1"),
    "bound list of a task": (
        "values = []\n@task\ndef inner(values): return len(values)\nbound = inner(task_id='b', values=values)",
        "bound.run(values=bound._bound_kwargs['values'])",
        "values.append(1)",
    ),
    "list of a task": ("seen = []\n@task\ndef inner(): return len(seen)", "inner.run()", "seen.append(1)"),
    "list of a task, and one more": (
        "seen = []\nown = [1]\n@task\ndef inner(): return len(seen)",
        "own[0] + inner.run()",
        "seen.append(1)",
    ),
    "list of a task's task": (
        "seen = []\n@task\ndef inner(): return len(seen)\n@task\ndef between(): return inner.run()",
        "between.run()",
        "seen.append(1)",
    ),
    "list of a task that names itself": (
        "seen = []\n@task\ndef inner(deep=True): return len(seen) + (inner.run(deep=False) if deep else 0)",
        "inner.run()",
        "seen.append(1)",
    ),
}


@pytest.mark.parametrize("shape", ["step", "members", "items"])
@pytest.mark.parametrize("name", CELLS)
def test_what_changed_between_two_runs_on_one_pool_is_seen(name, shape):
    """Run after run, as inline: a pool that stays warm keeps nothing that has changed."""
    setup, body, change = CELLS[name]
    cell = {"__name__": "__main__", "task": task}
    exec(setup, cell)
    exec(f"@task\ndef outer({'item' if shape == 'items' else ''}): return {body}", cell)
    outer = cell["outer"]
    with workflow("cells") as wf:
        if shape == "step":
            wf.graph.add_node(outer, "outer")
        elif shape == "members":
            parallel(outer(task_id="a"), outer(task_id="b"))
        else:
            outer.map([1, 2])
    answers = []
    for _ in range(3):
        expected = eval(body, cell)
        _, context = wf.execute(executor="process", max_workers=1, ret_context=True)
        answers += [(expected, context.get_result("a" if shape == "members" else "outer"))]
        if shape == "items":
            answers[-1] = (expected, context.get_result("outer_map")[0])
        exec(change, cell)
    assert [found for _, found in answers] == [expected for expected, _ in answers]
    assert answers[0] != answers[1]
