"""A run that another thread ends: what still runs, what it says afterwards, and that it is ended once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from signs import Signs, wait_until
from waiting_flows import members, steps

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import GraflowWorkflowCanceledError

#: Where a body that does not return by itself can be stopped; in this process it has to end first.
STOPPED = ("process", "auto")


@pytest.mark.parametrize("executor", STOPPED)
def test_cancel_stops_bodies_in_workers(executor: str, signs: Signs) -> None:
    run = members(signs).start(executor=executor, max_workers=2)
    signs.await_("a")
    signs.await_("b")
    assert run.cancel("the user went home")
    with pytest.raises(GraflowWorkflowCanceledError) as caught:
        run.result(20)
    assert (str(caught.value), caught.value.task_id) == ("the user went home", None)
    assert (run.context.stop_reason, run.context.ctrl_message) == ("canceled", "the user went home")
    assert not run.cancel("again")
    assert not signs.seen("stored")


def test_cancel_between_bodies(executor: str, signs: Signs) -> None:
    """One in this process ends first; the next one does not begin, wherever it would."""
    run = steps(signs).start(executor=executor)
    signs.await_("begun")
    assert run.cancel()
    signs.leave("go on")
    with pytest.raises(GraflowWorkflowCanceledError, match=r"^Workflow canceled$"):
        run.result(20)
    assert run.context.get_result("store") is None


@pytest.mark.parametrize("fails", [False, True])
def test_cancel_during_the_last_body(fails: bool, executor: str, signs: Signs) -> None:
    """Whoever was told that he ends the run has done so."""
    with workflow("last") as wf:

        @task
        def last(fails: bool = False) -> int:
            signs.leave("begun")
            signs.await_("go on")
            if fails:
                raise ValueError
            return 1

    run = wf.start(executor=executor, initial_channel={"fails": fails})
    signs.await_("begun")
    assert run.cancel()
    signs.leave("go on")
    with pytest.raises(GraflowWorkflowCanceledError):
        run.result(20)


def test_terminate_ends_a_run_well(executor: str, signs: Signs) -> None:
    run = steps(signs).start(executor=executor)
    signs.await_("begun")
    assert run.terminate("that is enough")
    signs.leave("go on")
    assert run.result(20) in (1, 2)  # whether the body has ended first
    assert (run.context.stop_reason, run.context.ctrl_message) == ("terminated", "that is enough")
    assert run.context.get_result("store") is None


@pytest.mark.parametrize("executor", STOPPED)
def test_terminate_stops_a_group_and_a_map(executor: str, signs: Signs) -> None:
    run = members(signs).start(executor=executor, max_workers=2)
    signs.await_("a")
    assert run.terminate()
    assert run.result(20) == 1

    with workflow("mapping") as wf:

        @task
        def item(x: int) -> None:
            signs.leave(f"item {x}")
            signs.await_("never")

        item.map(range(3))
    run = wf.start(executor=executor, max_workers=2)
    signs.await_("item 0")
    assert run.terminate()
    assert run.result(20) is None


def test_a_map_in_this_process_ends_with_its_item(signs: Signs) -> None:
    with workflow("mapping") as wf:

        @task
        def item(x: int) -> None:
            signs.leave(f"item {x}")
            signs.await_("go on")

        item.map(range(1000), chunk=1)
    run = wf.start(executor="inline")
    signs.await_("item 0")
    assert run.cancel()
    signs.leave("go on")
    with pytest.raises(GraflowWorkflowCanceledError):
        run.result(20)
    assert not signs.seen("item 999")


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_parallel_schedule_is_stopped_too(executor: str, signs: Signs) -> None:
    with workflow("shop", schedule="parallel") as wf:

        @task
        def wait(name: str) -> None:
            signs.leave(name)
            signs.await_("go on")

        for name in "abc":
            wait(task_id=name, name=name)
    run = wf.start(executor=executor, max_workers=2)
    signs.await_("a")
    assert run.cancel("enough")
    signs.leave("go on")
    with pytest.raises(GraflowWorkflowCanceledError, match="enough"):
        run.result(20)


def test_a_retry_that_waits_is_not_waited_for(signs: Signs) -> None:
    from graflow_fast import RetryPolicy

    with workflow("patient") as wf:

        @task(retry_policy=RetryPolicy(max_retries=1, initial_interval=60.0))
        def fetch() -> None:
            signs.leave("begun")
            raise ConnectionError

    run = wf.start(executor="inline")
    signs.await_("begun")
    wait_until(
        lambda: run.explain("fetch") == "Task 'fetch' waits before it runs again because an attempt of it had failed."
    )
    assert run.cancel()
    with pytest.raises(GraflowWorkflowCanceledError):
        run.result(20)


def test_the_context_of_a_run_ends_it_from_another_thread(executor: str, signs: Signs) -> None:
    """As graflow's programs do."""
    run = steps(signs).start(executor=executor)
    signs.await_("begun")
    run.context.cancel_workflow("from outside")
    signs.leave("go on")
    with pytest.raises(GraflowWorkflowCanceledError, match="^from outside$"):
        run.result(20)
    assert run.context.cancel_called


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_it_does_so_while_execute_runs_here(executor: str, signs: Signs) -> None:
    contexts: list[Any] = []
    with workflow("told") as wf:

        @task(inject_context=True)
        def work(ctx: Any) -> None:
            contexts.append(ctx.execution_context)
            signs.leave("begun")
            signs.await_("go on")

        @task
        def after() -> None:
            signs.leave("after")

        work >> after

    def from_outside() -> None:
        signs.await_("begun")
        contexts[0].terminate_workflow("from outside")
        signs.leave("go on")

    thread = threading.Thread(target=from_outside)
    thread.start()
    _, context = wf.execute(executor=executor, ret_context=True)
    thread.join()
    assert (context.stop_reason, context.ctrl_message) == ("terminated", "from outside")
    assert not signs.seen("after")


def test_terminating_from_a_group_member_of_this_process(signs: Signs) -> None:
    with workflow("w") as wf:

        @task
        def member(name: str) -> None:
            signs.leave(name)
            signs.await_("go on")

        parallel(member(task_id="a", name="a"), member(task_id="b", name="b"))
    run = wf.start(executor="thread", max_workers=2)
    signs.await_("a")
    assert run.terminate()
    assert run.result(20) is None
    signs.leave("go on")
