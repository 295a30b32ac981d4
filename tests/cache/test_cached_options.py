"""What a task with ``cache=True`` is told besides, what it may be made of, and what `explain` says of it."""

from __future__ import annotations

import functools

import pytest
from noting import note

from graflow_fast import task, workflow
from graflow_fast.exceptions import ConfigError


def test_a_version_stands_for_the_code(calls, run):
    def made(version, result, depends=None):
        with workflow("versions") as wf:

            @task(cache=True, version=version, depends=depends)
            def one():
                note("one")
                return result

        return run(wf)[0]

    assert [made(1, "a"), made(1, "b"), made(2, "b"), made(1, "c"), made("1", "d")] == ["a", "a", "b", "a", "d"]
    assert len(calls.taken()) == 3


def test_what_it_depends_on_counts(calls, run, folder):
    data = folder / "data.csv"

    def made(*depends):
        with workflow("depends") as wf:

            @task(cache=True, version=1, depends=depends)
            def one():
                note("one")

        run(wf)
        return len(calls.taken())

    data.write_text("1")
    assert [made(data), made(data), made(data, 1), made(added), made(added), made(Model)] == [1, 0, 1, 1, 0, 1]
    data.write_text("22")
    assert [made(data), made(data)] == [1, 0]
    with workflow("again") as wf:
        task(id="one", cache=True, depends=data)(data.read_text)
    assert run(wf)[0] == "22"
    data.write_text("333")
    assert run(wf)[0] == "333"


class Model:
    def __init__(self, by):
        self.by = by

    @task(cache=True)
    def predict(self, x):
        note("predict")
        return self.by * x

    def __call__(self, x):
        note("called")
        return self.by * x


def added(x, y):
    note("added")
    return x + y


def test_methods_partials_and_objects_are_bodies_too(calls, run, executor):
    def made(by):
        with workflow("kinds") as wf:
            method = Model(by).predict(task_id="method", x=2)
            part = task(id="part", cache=True)(functools.partial(added, by))(task_id="p", y=1)
            called = task(id="called", cache=True)(Model(by))(task_id="c", x=3)
            mapped = task(id="mapped", cache=True)(added).starmap([(by, 1), (by, 2)], task_id="m")
            method >> part >> called >> mapped
        seen = run(wf, executor)[1]
        return [seen[f"{name}.__result__"] for name in ("method", "p", "c")] + [list(seen["m.__result__"])]

    for by, ran in ((2, ["added", "added", "added", "called", "predict"]), (2, []), (3, ["added"] * 3)):
        assert made(by) == [2 * by, by + 1, 3 * by, [by + 1, by + 2]]
        assert sorted(calls.taken())[: len(ran)] == ran
    assert made(2)[0] == 4
    assert calls.taken() == []


def test_explain_says_why_it_ran(calls, run, executor):
    def said(n, add):
        with workflow("why") as wf:

            def helper(x):
                return x + add

            @task(cache=True)
            def one(n):
                return helper(n)

            one(task_id="it", n=n)
        _, context = wf.execute(executor=executor, max_workers=2, ret_context=True)
        return context.explain("it")

    assert "there was no result of it yet" in said(1, 1)
    assert "was taken from the cache" in said(1, 1)
    assert "argument 'n' is another value" in said(2, 1)
    assert "helper 'helper' (test_cached_options.py:" in said(1, 2)


def test_options_that_dont_go_together_are_refused():
    with pytest.raises(ConfigError, match="belongs to cache=True"):
        task(version=1)(lambda: 1)
    with pytest.raises(ConfigError, match="handler='mine'"):
        task(cache=True, handler="mine")(lambda: 1)
    with pytest.raises(ConfigError, match="must be a text or a whole number"):
        task(cache=True, version=1.5)(lambda: 1)
    with pytest.raises(ConfigError, match="give it an id"):
        task(cache=True, version=1)(lambda: 1)
    assert task(id="named", cache=True, version=1)(lambda: 1).task_id == "named"
