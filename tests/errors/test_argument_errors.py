"""Arguments that don't fit a body: one wording, wherever the body runs and whatever kind of work it is."""

from types import FunctionType

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import GraflowRuntimeError
from graflow_fast.trace import NoopTracer

PLACES = ["inline", "thread", "process", "auto", "parallel", "traced", "limited", "retried", "closure"]


class Listening(NoopTracer):
    """A tracer that wants to hear of each task."""

    def on_task_queued(self, task, context):
        pass


def none():
    """A body without parameters."""


def context_only(ctx):
    """A body that is given its context and nothing else."""


def one(x):
    """A body with one parameter."""


def two(x, y=2):
    """A body with two parameters."""


def context_and_one(ctx, x):
    """A body that is given its context and one value."""


def named_only(*, x):
    """A body with a parameter that has to be named."""


def positional_only(x, /):
    """A body with a parameter that can't be named."""


BODIES = [none, context_only, one, two, context_and_one, named_only, positional_only]


def message(place, body, shape, bound, followed=None):
    """The error of a run whose task is bound to what does not fit; of which place, it shall make no difference."""
    options = {}
    if body in (context_only, context_and_one):
        options["inject_context"] = True
    if place == "limited":
        options["timeout"] = 60
    if place == "retried":
        options["max_retries"] = 1
    function = copy_of(body) if place == "closure" else body
    with workflow("w", tracer=Listening() if place == "traced" else None) as wf:
        work = task("work", **options)(function)
        if shape == "alone":
            start = work(task_id="a", **bound)
        elif shape == "member":
            start = parallel(work(task_id="a", **bound), task("fine")(none)).set_group_name("g")
        elif shape == "item":
            start = work.map([1, 2], task_id="a")
        elif shape == "added":
            start = task("start", inject_context=True)(lambda ctx: ctx.next_task(work(task_id="a", **bound)))
        else:
            start = task("before")(none)
            start >> work(task_id="a", **bound)
        settings = {"max_workers": 1}
        if place == "parallel":
            settings["schedule"] = "parallel"
        elif place in ("inline", "thread", "process"):
            settings["executor"] = place
        elif place != "auto":
            settings["executor"] = "process"
        with pytest.raises(GraflowRuntimeError) as caught:
            wf.execute(start.task_id, **settings)
    error = caught.value
    while error.__cause__ is not None:
        error = error.__cause__
    assert type(error) is TypeError
    return str(error)


def copy_of(body):
    """A function made at run time, which no worker can import."""
    copy = FunctionType(body.__code__, {}, body.__name__, body.__defaults__)
    copy.__kwdefaults__ = body.__kwdefaults__
    return copy


@pytest.mark.parametrize("shape", ["alone", "member", "added", "after"])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_unknown_keyword(body, shape):
    """An argument that the body has no parameter for names task, argument and what there is."""
    texts = {place: message(place, body, shape, {"z": 1}) for place in PLACES}
    expected = texts["inline"]
    assert expected.startswith("Task 'a' got an unexpected keyword argument 'z'")
    assert texts == dict.fromkeys(PLACES, expected)


@pytest.mark.parametrize("shape", ["alone", "member"])
@pytest.mark.parametrize("body", [one, two, context_and_one, named_only], ids=lambda body: body.__name__)
def test_missing(body, shape):
    """A parameter that nothing fills."""
    texts = {place: message(place, body, shape, {}) for place in PLACES}
    expected = texts["inline"]
    assert expected.startswith("Task 'a' is missing 1 required positional argument: 'x'")
    assert texts == dict.fromkeys(PLACES, expected)


@pytest.mark.parametrize("body", [none, context_only], ids=lambda body: body.__name__)
def test_items_for_a_body_that_takes_none(body):
    """A map's item has no parameter to go to."""
    texts = {place: message(place, body, "item", {}) for place in PLACES}
    assert texts == dict.fromkeys(PLACES, texts["inline"])
