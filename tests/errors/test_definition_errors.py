"""Defining: options of a task, instances, chains, parameters that stay open."""

import pytest
from reading import EXECUTORS, notes, nothing

from graflow_fast._borrowed import is_installed
from graflow_fast.core.decorators import task
from graflow_fast.core.workflow import workflow
from graflow_fast.exceptions import (
    ConfigError,
    DuplicateTaskError,
    GraflowRuntimeError,
)


@pytest.mark.skipif(is_installed(), reason="graflow is installed")
@pytest.mark.parametrize("option", [{"inject_llm_client": True}, {"inject_llm_agent": "writer"}], ids=list)
def test_llm_injection(option):
    """It names task and option, and says what to do."""
    with pytest.raises(ConfigError) as caught:
        task("a", **option)(nothing)
    assert str(caught.value) == (
        f"Task 'a': {next(iter(option))} needs graflow beside graflow_fast: pip install 'graflow-fast[graflow]'"
    )


def test_an_llm_agent_without_a_name():
    with pytest.raises(ConfigError) as caught:
        task("a", inject_llm_agent=True)(nothing)
    assert str(caught.value) == "Task 'a': inject_llm_agent=True must be the name of a registered agent"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout=0 must be a positive number of seconds"),
        ({"memory_limit": -1}, "memory_limit=-1 must be positive"),
        (
            {"memory_limit": "10 parsecs"},
            "memory_limit='10 parsecs' is not a size; write bytes or a text such as '512MB'",
        ),
        ({"max_concurrency": 0}, "max_concurrency=0 must be a positive whole number"),
        ({"retry_policy": 3}, "retry_policy=3 must be a RetryPolicy; how often alone is said by max_retries="),
        ({"cache": "v1"}, "Task 'a': cache='v1' must be True or False; what stands for the code is version="),
    ],
)
def test_options_of_a_task(options, message):
    """Refused where they are written."""
    with pytest.raises(ConfigError) as caught:
        task("a", **options)(nothing)
    assert str(caught.value) == message


def test_positional_arguments_of_an_instance():
    """It says both things that may have been meant."""

    @task
    def a():
        pass

    with pytest.raises(TypeError) as caught:
        a(1)
    assert str(caught.value) == (
        "Task 'a': TaskWrapper instance creation does not support positional arguments (got 1). "
        "Please use keyword arguments only: a(task_id=..., name=value), or a.run(...) to call the body"
    )


def test_no_function():
    """What is decorated has to be callable; the task may have one id."""
    for use, message in (
        (lambda: task(5), "@task decorates a function, not int"),
        (lambda: task("a", id="b")(nothing), "@task got two different ids: 'a' and 'b'"),
    ):
        with pytest.raises(TypeError) as caught:
            use()
        assert str(caught.value) == message


def test_no_task_in_a_chain():
    """It says what was found, and what may have happened."""
    a = task("a")(nothing)
    for use in (lambda: a >> None, lambda: a << None, lambda: a | None):
        with pytest.raises(TypeError) as caught:
            use()
        assert str(caught.value) == (
            "Can only combine with Task, TaskWrapper, SequentialTask, or ParallelGroup: <class 'NoneType'> "
            "(did you call the task instead of naming it?)"
        )


def test_what_others_write_in_a_chain():
    """A list as in Airflow, a function without @task: it says what to write here."""
    a, b = task("a")(nothing), task("b")(nothing)
    for other, hint in (
        ([b, b], "for a group: a >> (b | c), or parallel(...)"),
        (nothing, "put @task above 'nothing', or name the task that was made of it"),
    ):
        for use in (lambda other=other: a >> other, lambda other=other: a | other):
            with pytest.raises(TypeError) as caught:
                use()
            assert str(caught.value).endswith(f"({hint})")


def test_duplicate():
    """The id, as text and as attribute; what to do stands under it."""
    with workflow("w"):
        task("a")(nothing)
        with pytest.raises(DuplicateTaskError) as caught:
            task("a")(nothing)
    assert (str(caught.value), caught.value.task_id) == ("Duplicate task ID: Node 'a' already exists in graph", "a")
    assert notes(caught.value) == ["Give one of the two another id: @task(id=...), or task_id= for an instance of 'a'."]


def test_a_context_that_was_not_asked_for():
    """Who forgets inject_context=True is told so."""
    with workflow("w") as wf:
        task("forgot")(lambda ctx: ctx.task_id)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute()
    assert str(caught.value.__cause__).endswith(
        "no single task before it returned a value). A task is given its context with @task(inject_context=True)"
    )


@EXECUTORS
def test_open_parameter(executor):
    """It names task, parameter and each place where it was looked for."""
    with workflow("w") as wf:

        @task("the_task")
        def total(numbers, factor=2):
            return sum(numbers) * factor

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    assert str(caught.value.__cause__) == (
        "Task 'the_task' is missing 1 required positional argument: 'numbers' (not bound; not in the channel "
        "(as 'numbers.__result__' or 'numbers'); no default; no single task before it returned a value)"
    )


@EXECUTORS
def test_open_parameters_after_a_task(executor):
    """Of a mapping and of a single value it says why they did not do."""
    for value, why in (({"x": 1}, "not in the mapping that the task before returned"), (5, "one int for 2 open")):
        with workflow("w") as wf:

            @task
            def first(value=value):
                return value

            @task
            def second(left, right):
                return left + right

            first >> second
        with pytest.raises(GraflowRuntimeError) as caught:
            wf.execute(executor=executor)
        text = str(caught.value.__cause__)
        assert text.startswith("Task 'second' is missing 2 required positional arguments: 'left' and 'right' (")
        assert why in text


@EXECUTORS
def test_misspelt_binding(executor):
    """It names the task and the parameter that was probably meant."""
    with workflow("w") as wf:

        @task
        def load(path):
            return path

        load(task_id="users", paht="users.csv")
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute("users", executor=executor)
    assert str(caught.value.__cause__) == (
        "Task 'users' got an unexpected keyword argument 'paht': its function has no such parameter. "
        "Did you mean 'path'?"
    )
