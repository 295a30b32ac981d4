"""`execute(deadline=seconds)`: a whole run is bounded, on every executor."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from signs import Signs

from graflow_fast import task, workflow
from graflow_fast.exceptions import ConfigError, DeadlineExceededError, GraflowRuntimeError


def endless(signs: Signs, **options: Any) -> Any:
    with workflow("endless", **options) as wf:

        @task
        def first() -> int:
            return 1

        @task(inject_context=True, max_cycles=1_000_000)
        def again(ctx: Any) -> None:
            ctx.next_iteration()

        first >> again
    return wf


def test_a_loop_that_never_ends_is_stopped(executor: str, signs: Signs) -> None:
    with pytest.raises(DeadlineExceededError) as caught:
        endless(signs).execute(executor=executor, deadline=0.2)
    assert caught.value.deadline == 0.2
    assert isinstance(caught.value, GraflowRuntimeError)
    assert str(caught.value).startswith("The workflow took longer than its deadline of 0.2 s, so it was stopped")


@pytest.mark.parametrize("executor", ["process", "auto"])
def test_bodies_in_workers_are_stopped_and_named(executor: str, signs: Signs) -> None:
    with workflow("slow") as wf:

        @task
        def work(name: str) -> None:
            signs.leave(name)
            signs.await_("never", 60)

        work(task_id="b", name="b") | work(task_id="a", name="a")
    with pytest.raises(DeadlineExceededError) as caught:
        wf.execute(executor=executor, max_workers=2, deadline=1.5)
    assert caught.value.stopped == ("a", "b")
    assert "while it was running a, b. Raise deadline" in str(caught.value)


def test_a_run_in_time_hears_nothing_of_it(executor: str) -> None:
    with workflow("quick", deadline=60) as wf:

        @task
        def quick() -> int:
            return 1

    assert wf.execute(executor=executor) == 1
    assert wf.start(executor=executor, deadline=50).result(20) == 1


def test_it_bounds_handles_and_streams(signs: Signs) -> None:
    run = endless(signs).start(executor="inline", deadline=0.1)
    with pytest.raises(DeadlineExceededError):
        run.result(20)
    assert run.context.stop_reason == "deadline"
    with workflow("streaming") as wf:

        @task
        def item(x: int) -> int:
            return x

        item.map(iter(int, 1))
    with pytest.raises(DeadlineExceededError):
        for _ in wf.stream(executor="inline", deadline=0.2):
            pass


def test_the_error_crosses_and_a_bad_deadline_is_refused() -> None:
    error = pickle.loads(pickle.dumps(DeadlineExceededError(2.5, ["a", "b"])))
    assert (error.deadline, error.stopped) == (2.5, ("a", "b"))
    with pytest.raises(ConfigError, match="deadline=-1 must be a positive number of seconds"):
        workflow("w", deadline=-1)
