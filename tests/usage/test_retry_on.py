"""Retries after chosen exceptions, wherever the body runs."""

from __future__ import annotations

import re
import sys
import threading
import types
from typing import Any

import pytest

from graflow_fast import RetryPolicy, parallel, task, workflow
from graflow_fast.exceptions import (
    ConfigError,
    GraflowRuntimeError,
    ParallelGroupError,
    RemoteTaskError,
    RetryLimitExceededError,
    TaskTimeoutError,
    WorkerCrashedError,
)

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])

#: What the first, second, ... attempt raises -> how often it is tried.
CHOICES: dict[str, tuple[dict[str, Any], list[type[Exception]], int]] = {
    "all": ({}, [ValueError, ConnectionError], 3),
    "one class": ({"retry_on": ConnectionError}, [ConnectionError, ConnectionError], 3),
    "a class below it": ({"retry_on": OSError}, [ConnectionResetError, FileNotFoundError], 3),
    "several": ({"retry_on": (KeyError, ConnectionError)}, [ConnectionError, KeyError], 3),
    "another one": ({"retry_on": (ConnectionError,)}, [ValueError], 1),
    "another one later": ({"retry_on": (ConnectionError,)}, [ConnectionError, ValueError], 2),
    "all but one": ({"give_up_on": ValueError}, [KeyError, ValueError], 2),
    "some but one": ({"retry_on": OSError, "give_up_on": FileNotFoundError}, [ConnectionError, FileNotFoundError], 2),
    "a function": ({"retry_on": lambda error: "again" in str(error)}, [RuntimeError, RuntimeError], 3),
    "a function that gives up": ({"give_up_on": lambda error: isinstance(error, KeyError)}, [KeyError], 1),
}


def fetching(raised: list[type[Exception]], **options: Any) -> Any:
    with workflow("fetching") as wf:

        @task(inject_context=True, **options)
        def fetch(ctx: Any) -> int:
            if ctx.retry_count < len(raised):
                raise raised[ctx.retry_count]("again")
            return int(ctx.retry_count) + 1

    return wf


@EXECUTORS
@pytest.mark.parametrize("choice", CHOICES)
def test_which_exceptions_are_repeated(choice: str, executor: str) -> None:
    options, raised, tries = CHOICES[choice]
    policy = RetryPolicy(max_retries=5, initial_interval=0.0, **options)
    wf = fetching(raised, retry_policy=policy)
    if tries > len(raised):
        assert wf.execute(executor=executor) == tries
        return
    with pytest.raises(GraflowRuntimeError) as caught:
        wf.execute(executor=executor)
    error = caught.value
    assert type(error) is GraflowRuntimeError
    assert type(error.__cause__) is raised[-1]
    if sys.version_info >= (3, 11):
        tried = f", which was tried {tries} times" if tries > 1 else ""
        assert error.__notes__ == [
            f"in task 'fetch'{tried}",
            f"its retry policy does not repeat it after {raised[-1].__name__}",
        ]


@EXECUTORS
def test_as_options_of_the_task(executor: str) -> None:
    assert fetching([ConnectionError], max_retries=2, retry_on=ConnectionError).execute(executor=executor) == 2
    with pytest.raises(GraflowRuntimeError) as caught:
        fetching([ValueError], max_retries=2, give_up_on=(ValueError, KeyError)).execute(executor=executor)
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(RetryLimitExceededError):
        fetching([OSError] * 9, max_retries=2, retry_on=OSError).execute(executor=executor)


@EXECUTORS
def test_items_of_a_map_and_members_of_a_group(executor: str) -> None:
    with workflow("many") as wf:

        @task(max_retries=1, retry_on=ConnectionError, inject_context=True)
        def item(ctx: Any, x: int) -> int:
            if ctx.retry_count == 0 and x:
                raise (ConnectionError if x % 2 else ValueError)(x)
            return x

        item.map(range(4)).with_execution(policy="best_effort")
        results = wf.execute(executor=executor)
    assert [results[0], results[1], results[3]] == [0, 1, 3]
    assert isinstance(results[2], ValueError)

    with workflow("members") as group:

        @task(max_retries=1, retry_on=ConnectionError, inject_context=True)
        def member(ctx: Any, x: int) -> int:
            if ctx.retry_count == 0 and x:
                raise (ConnectionError if x % 2 else ValueError)(x)
            return x

        parallel(*(member(task_id=f"m{x}", x=x) for x in range(4)))
        with pytest.raises(ParallelGroupError) as caught:
            group.execute(executor=executor)
    assert [name for name, _ in caught.value.failed_tasks] == ["m2"]


def test_what_happens_to_a_worker_is_chosen_as_well() -> None:
    with workflow("slow") as wf:

        @task(timeout=0.2, max_retries=3, retry_on=ConnectionError)
        def slow() -> None:
            import time

            time.sleep(60)

        with pytest.raises(TaskTimeoutError):
            wf.execute()
    with workflow("dying") as dying:

        @task(max_retries=1, retry_on=WorkerCrashedError, inject_context=True)
        def dies(ctx: Any) -> int:
            import os

            if ctx.retry_count == 0:
                os._exit(3)
            return 7

        assert dying.execute(executor="process") == 7


def test_an_exception_that_does_not_come_back_counts_by_the_names_of_its_classes() -> None:
    class Refused(ConnectionError):
        def __init__(self, text: str) -> None:
            super().__init__(text)
            self.held = threading.Lock()  # which can't be pickled

    def failing(**options: Any) -> Any:
        with workflow("w") as wf:

            @task(max_retries=1, inject_context=True, **options)
            def fetch(ctx: Any) -> int:
                if ctx.retry_count == 0:
                    raise Refused("no")
                return 5

        return wf

    assert failing(retry_on=ConnectionError).execute(executor="process") == 5
    assert failing(retry_on=OSError).execute(executor="process") == 5
    for options in ({"retry_on": ValueError}, {"give_up_on": OSError}):
        with pytest.raises(RemoteTaskError, match="Refused: no"):
            failing(**options).execute(executor="process")
    assert failing(retry_on=lambda error: "Refused" in error.type_name).execute(executor="process") == 5


@EXECUTORS
def test_a_policy_that_fails_itself_is_told(executor: str) -> None:
    def asks(error: Exception) -> bool:
        raise KeyError("status")

    with pytest.raises(GraflowRuntimeError, match="The retry policy of task 'fetch' could not say whether") as caught:
        fetching([ConnectionError], max_retries=2, retry_on=asks).execute(executor=executor)
    assert isinstance(caught.value.__cause__, KeyError)
    assert isinstance(caught.value.__cause__.__context__, ConnectionError)


@EXECUTORS
def test_a_policy_of_another_make_repeats_all(executor: str) -> None:
    policy: Any = types.SimpleNamespace(max_retries=2, get_delay=lambda retry_count: 0.0)
    assert fetching([ValueError, KeyError], retry_policy=policy).execute(executor=executor) == 3


@pytest.mark.parametrize("wrong", ["ConnectionError", 5, [ConnectionError], (ConnectionError, "x"), int])
def test_what_is_no_choice_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"retry_on={wrong!r} must be an exception class, a tuple of them")):
        RetryPolicy(max_retries=1, retry_on=wrong)


def test_options_that_do_not_go_together() -> None:
    with pytest.raises(ConfigError, match=r"Task 'f': retry_on belongs into its retry_policy: RetryPolicy"):
        task("f", retry_policy=RetryPolicy(), retry_on=OSError)(print)
    with pytest.raises(ConfigError, match=r"Task 'f': give_up_on says after what .* say how often, too: max_retries="):
        task("f", give_up_on=OSError)(print)


@pytest.mark.parametrize(
    ("option", "meant"), [("retries", "max_retries"), ("max_retry", "max_retries"), ("time_out", "timeout")]
)
def test_an_option_that_is_called_otherwise_elsewhere(option: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{option}'. Did you mean .*'{meant}'"):
        task(**{option: 3})
