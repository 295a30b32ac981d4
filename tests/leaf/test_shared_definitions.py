"""Tasks of one plain function without more options share its definition, as long as it is the same function."""

import gc
import weakref

import pytest

from graflow_fast import task, workflow
from graflow_fast.core.definition import LAZY_ANNOTATIONS
from graflow_fast.core.task import TaskWrapper


def definition(made):
    return made._definition


def plain(x=1):
    """A body."""
    return x


def test_tasks_of_one_function_share_its_definition():
    one, two, three = TaskWrapper("one", plain), TaskWrapper("two", plain), task("three")(plain)
    assert definition(one) is definition(two) is definition(three)
    assert definition(TaskWrapper("four", lambda: 1)) is not definition(one)


@pytest.mark.parametrize(
    "options",
    [
        {"max_retries": 0},
        {"max_cycles": 2},
        {"timeout": 1.0},
        {"memory_limit": "1GB"},
        {"priority": 1},
        {"max_concurrency": 1},
        {"handler": "direct"},
    ],
)
def test_a_definition_with_options_is_its_tasks_own(options):
    made = task("with", **options)(plain)
    assert definition(made) is not definition(task("with", **options)(plain))
    assert definition(made) is not definition(TaskWrapper("plain", plain))


def test_whether_a_body_gets_a_context_tells_definitions_apart():
    def body(ctx=None):
        return ctx is not None

    with workflow("both") as wf:
        task("with", inject_context=True)(body) >> task("without")(body)
        _, context = wf.execute(ret_context=True, executor="inline")
    assert context.get_result("with") is True
    assert context.get_result("without") is False


def test_a_function_that_is_another_one_now_has_another_definition():
    def body(x):
        return x

    before = definition(TaskWrapper("before", body))
    assert [parameter.required for parameter in before.parameters] == [True]
    body.__defaults__ = (7,)
    after = definition(TaskWrapper("after", body))
    assert after is not before
    assert [parameter.required for parameter in after.parameters] == [False]


@pytest.mark.skipif(LAZY_ANNOTATIONS, reason="they are read when somebody asks, which may fail")
def test_a_function_with_other_annotations_has_another_definition():
    def body(x: int):
        return x

    before = definition(TaskWrapper("before", body))
    assert [parameter.takes_mapping for parameter in before.parameters] == [False]
    body.__annotations__ = {"x": dict}
    after = definition(TaskWrapper("after", body))
    assert [parameter.takes_mapping for parameter in after.parameters] == [True]


def test_a_task_that_gets_other_options_later_has_them_alone():
    one, two = TaskWrapper("one", plain), TaskWrapper("two", plain)
    one.handler_type = "mine"
    assert two.handler_type == "direct"


def test_nothing_holds_a_function_whose_tasks_are_gone():
    def body():
        return None

    found = weakref.ref(body)
    made = TaskWrapper("made", body, register_to_context=False)
    del body, made
    gc.collect()
    assert found() is None
