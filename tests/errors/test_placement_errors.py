"""Placement: options of execute() and workflow(), the environment, handlers, limits, backends."""

import pytest
from reading import notes, nothing

from graflow_fast.coordination.coordinator import CoordinationBackend
from graflow_fast.core.decorators import task
from graflow_fast.core.workflow import workflow
from graflow_fast.exceptions import (
    ConfigError,
    GraflowRuntimeError,
)


def test_misspelt_parameters_of_execute_and_workflow():
    """They are errors of Python's kind, too, and the hint knows the parameters that are no settings."""
    with workflow("w") as wf:
        task("a")(nothing)
    with pytest.raises(TypeError, match=r"Unknown option 'initial_chanel'. Did you mean 'initial_channel'"):
        wf.execute(initial_chanel={})
    with pytest.raises(TypeError, match=r"Unknown option 'start'. Did you mean 'start_node'\?"):
        wf.execute(start="a")
    with pytest.raises(TypeError, match=r"Unknown option 'tracr'. Did you mean 'tracer'\?"):
        workflow("w", tracr=None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "processes"}, "executor='processes' is unknown. Did you mean 'process'?"),
        ({"executor": "slurm"}, "executor='slurm' is unknown. Choose one of auto, inline, thread, process"),
        ({"max_worker": 2}, "Unknown option 'max_worker'. Did you mean 'max_workers'?"),
        ({"max_workers": 0}, "max_workers=0 must be a positive whole number"),
        ({"schedule": "paralel"}, "schedule='paralel' is unknown. Did you mean 'parallel'?"),
        ({"timeout": -1}, "timeout=-1 must be a positive number of seconds"),
        ({"memory_limit": "much"}, "memory_limit='much' is not a size; write bytes or a text such as '512MB'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_of_execute(options, message):
    """The same for execute() and workflow()."""
    with workflow("w") as wf:
        task("a")(nothing)
    for use in (lambda: wf.execute(**options), lambda: workflow("v", **options)):
        with pytest.raises(ConfigError) as caught:
            use()
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "EXECUTOR",
            "proces",
            "The environment says GRAFLOW_FAST_EXECUTOR='proces', which is unknown. Did you mean 'process'?",
        ),
        ("WORKERS", "two", "The environment says GRAFLOW_FAST_WORKERS='two', which must be a positive whole number"),
    ],
)
def test_options_of_the_environment(monkeypatch, variable, value, message):
    """It says where the value comes from."""
    monkeypatch.setenv("GRAFLOW_FAST_EXECUTOR", "process")
    monkeypatch.setenv(f"GRAFLOW_FAST_{variable}", value)
    with workflow("w") as wf:
        task("a")(nothing)
    with pytest.raises(ConfigError) as caught:
        wf.execute()
    assert str(caught.value) == message


def test_unknown_handler():
    """It names the task and what there is; a likely name stands under it."""
    with workflow("w") as wf:
        task("a", handler="proces")(nothing)
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute()
    cause = caught.value.__cause__
    assert str(cause) == "Unknown handler type: proces. Supported: direct, thread, process (task 'a')"
    assert notes(cause) == ["Did you mean 'process'?"]


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_limit_without_a_process(executor):
    """A timeout that could not be kept is refused before anything runs."""
    with workflow("w") as wf:
        task("a", timeout=5)(nothing)
    with pytest.raises(ConfigError) as caught:
        wf.execute(executor=executor)
    assert str(caught.value) == (
        f"Task 'a' has a timeout, but executor='{executor}' runs it in this process, which can't be stopped. "
        "Use executor='auto' or 'process', or drop the limit"
    )


def test_redis_backend():
    """It names the group and what to use instead."""
    with workflow("w"):
        group = task("a")(nothing) | task("b")(nothing)
        with pytest.raises(ConfigError) as caught:
            group.with_execution(backend=CoordinationBackend.REDIS)
    assert str(caught.value) == (
        "Group 'ParallelGroup_1': the REDIS backend is not part of graflow_fast; "
        "use CoordinationBackend.PROCESS (worker processes on this machine) instead"
    )
