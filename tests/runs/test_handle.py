"""`wf.start()`: a run beside the program, waited for and asked about from any thread."""

from __future__ import annotations

import contextvars
import gc
import logging
import threading
from typing import Any

import pytest
from signs import EXECUTORS, Signs, wait_until
from waiting_flows import steps

from graflow_fast import task, workflow
from graflow_fast.exceptions import GraflowRuntimeError, GraphCompilationError


def test_a_run_goes_on_beside_its_starter(executor: str, signs: Signs) -> None:
    run = steps(signs).start(executor=executor)
    signs.await_("begun")
    assert not run.done()
    assert not run.wait(0.01)
    with pytest.raises(TimeoutError, match=r"The run of workflow 'steps' has not ended after 0\.01 s"):
        run.result(0.01)
    signs.leave("go on")
    assert run.result(20) == 3
    assert run.done()
    assert run.context.stop_reason == "completed"
    assert run.context.get_result("work") == 2
    assert repr(run) == "<WorkflowRun of 'steps': completed>"


@pytest.mark.filterwarnings("ignore:Workflow stopped after max_steps")
def test_it_takes_what_execute_takes(signs: Signs) -> None:
    signs.leave("go on")
    wf = steps(signs)
    result, context = wf.start("work", ret_context=True, initial_channel={"key": 5}, max_steps=1).result(20)
    assert (result, context.channel.get("key"), context.stop_reason) == (2, 5, "max_steps")
    with pytest.raises(TypeError, match="Unknown option 'exekutor'. Did you mean 'executor'"):
        wf.start(exekutor="inline")
    with pytest.raises(GraphCompilationError, match="is neither in workflow 'steps'"):
        wf.start("nowhere")


def test_explain_answers_while_bodies_run(executor: str, signs: Signs) -> None:
    run = steps(signs).start(executor=executor)
    signs.await_("begun")
    assert run.explain("load") == "Task 'load' ran because the workflow starts there."
    assert run.explain("work") == "Task 'work' is running because 'load' completed."
    assert run.explain("store") == "Task 'store' waits for 'work'."
    signs.leave("go on")
    assert run.wait(20)
    assert run.explain("store") == "Task 'store' ran because 'work' completed."


def test_many_threads_may_wait_and_only_one_ends_it(signs: Signs) -> None:
    run = steps(signs).start(executor="process")
    signs.await_("begun")
    ended: list[bool] = []
    seen: list[str] = []

    def use(number: int) -> None:
        ended.append(run.cancel(f"by {number}"))
        seen.append(str(run.exception(20)))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(ended) == 1
    assert len(set(seen)) == 1


def test_callbacks_hear_of_the_end_once(signs: Signs) -> None:
    heard: list[Any] = []
    called = threading.Event()
    run = steps(signs).start(executor="thread")
    run.add_done_callback(lambda ended: (heard.append((ended is run, ended.result())), called.set()))
    assert not heard
    signs.leave("go on")
    assert called.wait(20)
    run.add_done_callback(lambda ended: heard.append("at once"))
    assert heard == [(True, 3), "at once"]


def test_a_failure_is_raised_as_execute_raises_it(executor: str) -> None:
    with workflow("failing") as wf:

        @task
        def fails() -> None:
            raise ValueError("no such file")

    run = wf.start(executor=executor)
    assert isinstance(run.exception(20), GraflowRuntimeError)
    with pytest.raises(GraflowRuntimeError, match="no such file") as caught:
        run.result(20)
    assert isinstance(caught.value.__cause__, ValueError)
    assert repr(run) == "<WorkflowRun of 'failing': failed>"


def test_a_failure_that_nobody_asked_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with workflow("failing") as wf:

        @task
        def fails() -> None:
            raise ValueError("no such file")

    def fails_unheard() -> None:
        run = wf.start(executor="inline")
        assert run.wait(20)

    with caplog.at_level(logging.ERROR, "graflow_fast"):
        fails_unheard()
        wait_until(lambda: bool(gc.collect() or True) and any("nobody" in r.getMessage() for r in caplog.records))
    record = caplog.records[-1]
    assert record.getMessage() == "A run of workflow 'failing' failed, and nobody has asked for its result()"
    assert record.exc_info is not None
    assert "no such file" in str(record.exc_info[1])
    caplog.clear()
    with pytest.raises(GraflowRuntimeError):
        wf.start(executor="inline").result(20)
    wf.start(executor="inline").exception(20)
    run = wf.start(executor="inline")
    run.cancel()
    run.wait(20)
    del run
    gc.collect()
    assert [record for record in caplog.records if "CanceledError" in str(record.exc_info)] == []


def test_a_workflow_has_one_such_run_at_a_time(signs: Signs) -> None:
    wf = steps(signs)
    run = wf.start(executor="thread")
    signs.await_("begun")
    for again in (wf.start, wf.execute):
        with pytest.raises(GraflowRuntimeError, match="Workflow 'steps' is running already, and its runs would share"):
            again()
    other = steps(signs).start(executor="thread")  # another workflow has its own
    signs.leave("go on")
    assert (run.result(20), other.result(20)) == (3, 3)
    assert wf.start(executor="inline").result(20) == 3
    assert wf.execute() == 3


def test_a_task_may_start_another_workflow_but_not_in_a_worker(signs: Signs) -> None:
    signs.leave("go on")
    with workflow("outer") as outer:

        @task
        def starts() -> Any:
            return steps(signs).start(executor="inline").result(20)

    assert outer.execute(executor="inline") == 3
    assert outer.execute(executor="thread") == 3
    with pytest.raises(GraflowRuntimeError, match=r"start\(\) of workflow 'steps' was called by a task in a worker"):
        outer.execute(executor="process")


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_a_task_can_not_wait_for_its_own_run(executor: str) -> None:
    handles: list[Any] = []
    given = threading.Event()
    with workflow("circular") as wf:

        @task
        def waits() -> None:
            given.wait(20)
            handles[0].result()

    handles.append(wf.start(executor=executor))
    given.set()
    with pytest.raises(GraflowRuntimeError, match="waits for the run that it belongs to, which can't end meanwhile"):
        handles[0].result(20)


def test_prints_are_shown(executor: str, capsys: pytest.CaptureFixture[str]) -> None:
    with workflow("greeting") as wf:

        @task
        def greet() -> None:
            print("hello")

    wf.start(executor=executor).result(20)
    assert capsys.readouterr().out == "hello\n"


@pytest.mark.parametrize("executor", ["inline", "thread"])
def test_context_variables_are_those_of_the_starter(executor: str) -> None:
    user = contextvars.ContextVar("user", default="nobody")
    with workflow("greeting") as wf:

        @task
        def greet() -> str:
            return user.get()

    user.set("ada")
    assert wf.start(executor=executor).result(20) == "ada"


def test_two_runs_of_two_workflows_at_once(signs: Signs) -> None:
    """Each executor beside each other one."""
    runs = [steps(signs).start(executor=executor, max_workers=1) for executor in EXECUTORS]
    signs.await_("begun")
    signs.leave("go on")
    assert [run.result(30) for run in runs] == [3] * len(runs)
