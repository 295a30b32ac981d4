"""Methods as tasks: the task of an object, found through it as a method is."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import DuplicateTaskError


class Model:
    """What people write: a model with some state, some of whose methods are tasks."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    @task
    def load(self):
        return [1, 2, 3]

    @task
    def predict(self, x):
        return x * self.factor

    @task(inject_context=True)
    def report(self, ctx, title="of"):
        return f"{title} {self.factor} in {ctx.task_id}"

    @classmethod
    @task
    def shared(cls, x=0):
        return cls.__name__, x


@pytest.fixture(params=["inline", "thread", "process"])
def executor(request: Any) -> str:
    return str(request.param)


def test_a_method_is_mapped_over_items(executor: str) -> None:
    model = Model(3)
    with workflow("w") as wf:
        model.load >> model.predict.map() >> model.report
        result, context = wf.execute(executor=executor, ret_context=True)
    assert context.get_result("predict_map") == [3, 6, 9]
    assert result == "of 3 in report"


def test_two_objects_with_instances_of_one_method(executor: str) -> None:
    with workflow("w") as wf:
        members = [Model(k).predict(task_id=f"by {k}", x=10) for k in (2, 3)]
        parallel(*members) >> Model(4).report(task_id="last", title="the")
        result, context = wf.execute(executor=executor, ret_context=True)
    assert [context.get_result(f"by {k}") for k in (2, 3)] == [20, 30]
    assert result == "the 4 in last"


def test_an_object_has_one_task_for_a_method() -> None:
    model = Model(1)
    assert model.predict is model.predict
    assert model.predict is not Model(1).predict
    assert model.predict.run(x=5) == 5
    with workflow("w") as wf:
        model.load >> model.report
        # From Python 3.13 on a class method doesn't ask what it wraps, so it has to be called.
        model.load >> (model.shared if sys.version_info < (3, 13) else model.shared(task_id="shared"))
        assert wf.graph.successors("load") == ["report", "shared"]


def test_a_class_method_gets_its_class(executor: str) -> None:
    with workflow("w") as wf:
        Model.shared(task_id="one", x=1) >> Model(1).shared(task_id="two", x=2)
        _, context = wf.execute(executor=executor, ret_context=True)
    assert [context.get_result(name) for name in ("one", "two")] == [("Model", 1), ("Model", 2)]


def test_the_object_may_be_given_by_name(executor: str) -> None:
    """As of any function: found through the class, `self` is a parameter."""
    with workflow("w") as wf:
        Model.predict(task_id="by name", self=Model(7), x=2)
        assert wf.execute(executor=executor) == 14


def test_equal_names_of_two_objects_are_told() -> None:
    with pytest.raises(DuplicateTaskError), workflow("w") as wf:
        Model(1).load | Model(2).load
        wf.execute(executor="inline")


def test_a_task_in_a_class_that_is_no_method_stays_what_it_is() -> None:
    """As before: classes are used to keep tasks together."""

    class Steps:
        first = task("first")(lambda: 1)

    assert Steps().first is Steps.first
