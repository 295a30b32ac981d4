"""Control: loops, retries, cancelling, limits, tasks added at run time."""

import traceback
import warnings

import pytest
from reading import EXECUTORS, notes, nothing

from graflow_fast.core.decorators import task
from graflow_fast.core.task import TaskWrapper
from graflow_fast.core.workflow import workflow
from graflow_fast.exceptions import (
    CycleLimitExceededError,
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    RetryLimitExceededError,
    StepLimitExceededError,
)


@EXECUTORS
def test_cycle_limit(executor):
    """The task by its own name, how often it ran and may run; the user's call; what to do."""
    with workflow("w") as wf:

        @task(inject_context=True, max_cycles=3)
        def optimize(ctx):
            ctx.next_iteration()

    with pytest.raises(CycleLimitExceededError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert str(error) == "CycleLimitExceededError(task_id=optimize, cycle_count=3, max_cycles=3)"
    assert (error.task_id, error.cycle_count, error.max_cycles) == ("optimize", 3, 3)
    assert "ctx.next_iteration()" in "".join(traceback.format_exception(error))
    assert notes(error) == ["Raise the limit with @task(max_cycles=...), or ask ctx.can_iterate() before."]


@EXECUTORS
def test_retries_exhausted(executor):
    """How often it was tried; the cause is what the last attempt raised."""
    with workflow("w") as wf:

        @task(max_retries=2, inject_context=True)
        def fetch(ctx):
            raise ConnectionError(f"call {ctx.retry_count + 1}")

    with pytest.raises(RetryLimitExceededError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert str(error) == "RetryLimitExceededError(task_id=fetch, retry_count=3, max_retries=2)"
    assert repr(error.__cause__) == "ConnectionError('call 3')"
    assert notes(error) == ["in task 'fetch', which was tried 3 times"]


@EXECUTORS
def test_cancelled(executor):
    """The message is exactly the one given, with nothing under it; who said it is an attribute."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def validate(ctx):
            ctx.cancel_workflow("Data validation failed")

    with pytest.raises(GraflowWorkflowCanceledError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert (str(error), error.message, error.task_id) == ("Data validation failed",) * 2 + ("validate",)
    assert notes(error) == []


@EXECUTORS
def test_max_steps(executor):
    """A warning that names what was next, where the user called."""
    with workflow("w") as wf:
        a, b, c = (task(name)(nothing) for name in "abc")
        a >> b >> c
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, context = wf.execute(max_steps=1, ret_context=True, executor=executor)
    (warning,) = caught
    assert str(warning.message) == "Workflow stopped after max_steps=1 tasks; waiting to run: b"
    assert warning.filename == __file__
    assert context.stop_reason == "max_steps"


def test_endless_loop():
    """It names the task, the limit, and what to do."""
    with workflow("w") as wf:
        a, b = (task(name)(nothing) for name in "ab")
        a >> b >> a
    with pytest.raises(StepLimitExceededError) as caught:
        wf.execute("a", executor="inline")
    error = caught.value
    assert (error.task_id, error.executions, error.limit) == ("a", 10_001, 10_000)
    assert str(error) == (
        "Task 'a' was executed 10001 times in one run, more than the limit of 10000: its loop seems never to end. "
        "Check what should leave the loop, or pass max_steps to stop a run quietly."
    )


@EXECUTORS
def test_next_task_of_something_else(executor):
    """It names the task that said it, and what to write."""
    hints = {
        "save": "not str (ctx.graph.get_node('save') finds a task by its name)",
        5: "not int (name the task without calling it)",
        (5, 6): "not tuple (for a group: a >> (b | c), or parallel(...))",
        len: "not builtin_function_or_method (put @task above 'len', or name the task that was made of it)",
    }

    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx, thing):
            ctx.next_task(thing)

    for thing, hint in hints.items():
        with pytest.raises(GraflowRuntimeError) as caught:
            wf.execute(executor=executor, initial_channel={"thing": thing})
        assert str(caught.value.__cause__) == f"Task 'load': next_task() takes a task, a chain or a group, {hint}"


@EXECUTORS
def test_get_node_of_a_misspelt_name(executor):
    """graflow's KeyError, with the likely name under it."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            ctx.graph.get_node("on_eror")

        task("on_error")(nothing)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute("load", executor=executor)
    cause = caught.value.__cause__
    assert type(cause) is KeyError
    assert str(cause) == "'Task on_eror not found in graph'"
    assert notes(cause) == ["Did you mean 'on_error'?"]


@EXECUTORS
def test_an_edge_to_nowhere(executor):
    """An edge added at run time that names no task says which, and fails the task that added it."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            ctx.graph.add_edge("load", "sav")

        task("save")(nothing)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute("load", executor=executor)
    assert str(caught.value) == ("An edge names task 'sav', which is not in the graph. Did you mean 'save'?")


@EXECUTORS
@pytest.mark.parametrize("member", ["llm_client", "prompt_manager"])
def test_llm_members(executor, member):
    """What an installed graflow lends says so where it is not, with the task."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            getattr(ctx, member)

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    assert str(caught.value.__cause__) == (
        f"Task 'load': {member} needs graflow beside graflow_fast: pip install 'graflow-fast[graflow]'"
    )


@EXECUTORS
def test_feedback(executor):
    """Human feedback as well."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            ctx.request_approval("?")

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    assert str(caught.value.__cause__) == (
        "Task 'load': request_feedback() needs graflow beside graflow_fast: pip install 'graflow-fast[graflow]'"
    )


@EXECUTORS
def test_duplicate_fragment(executor):
    """A fragment in which two tasks have one name."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def load(ctx):
            first, second = (TaskWrapper("save", nothing, register_to_context=False) for _ in range(2))
            ctx.next_task(first >> second)

    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute("load", executor=executor)
    assert str(caught.value.__cause__) == "Duplicate task ID: save"


def test_hints_are_cheap_and_careful():
    """Case does not matter, an unlikely name gives none, and neither does what is no text."""
    from graflow_fast._hints import did_you_mean

    assert did_you_mean("LOAD", ["save", "load"]) == "Did you mean 'load'?"
    assert did_you_mean("xyz", ["save", "load"]) == ""
    assert did_you_mean(5, ["save"]) == ""
