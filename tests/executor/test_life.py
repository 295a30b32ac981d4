"""The life of an executor: what it refuses, how it begins, and the ways in which it ends."""

import concurrent.futures
import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import psutil
import pytest

import graflow_fast

PATIENCE = 30

STATE = "not prepared"


def prepare(value):
    global STATE
    STATE = value
    os.environ["PREPARED"] = "yes"


def state(_=None):
    return STATE, os.environ.get("PREPARED"), os.getpid()


def wait_for(path):
    while not path.exists():
        time.sleep(0.005)


@pytest.fixture
def busy(make, tmp_path):
    """An executor of one worker that runs a call until it is let go, with others behind it, and the letting go."""
    executor = make(1)
    begun, gate = tmp_path / "begun", tmp_path / "gate"

    def wait(begun, gate):
        begun.with_suffix(".new").write_text(str(os.getpid()))
        begun.with_suffix(".new").rename(begun)
        wait_for(gate)
        return "let go"

    running = executor.submit(wait, begun, gate)
    wait_for(begun)
    return executor, running, [executor.submit(pow, 2, number) for number in range(10)], gate.touch


# --- options


def test_numbers_must_be_at_least_one():
    for options in ({"max_workers": 0}, {"max_workers": -1}, {"max_tasks_per_child": 0}):
        with pytest.raises(ValueError, match="must be a positive whole number"):
            graflow_fast.Executor(**options)
    for options in ({"max_workers": "2"}, {"max_tasks_per_child": 2.5}, {"initializer": 3}):
        with pytest.raises(TypeError):
            graflow_fast.Executor(**options)


def test_the_number_of_workers_is_there_for_whoever_asks(monkeypatch):
    assert graflow_fast.Executor(3)._max_workers == 3
    monkeypatch.setenv("GRAFLOW_FAST_WORKERS", "5")
    assert graflow_fast.Executor()._max_workers == 5


def test_it_is_an_executor_and_starts_nothing_unasked(make):
    executor = make(2)
    assert isinstance(executor, concurrent.futures.Executor)
    assert executor._crew is None


# --- initializer


def test_the_initializer_prepares_each_worker(make):
    executor = make(2, initializer=prepare, initargs=("prepared",))
    results = list(executor.map(state, range(12)))
    assert {result[:2] for result in results} == {("prepared", "yes")}
    assert STATE == "not prepared"


def test_what_the_initializer_sets_of_a_programs_own_variables_stays():
    """Also when a call has changed something that it captured, after which all is loaded anew."""
    finished = run("""
import graflow_fast
state, captured = None, []
def prepare(value):
    global state, other
    state = other = value
with graflow_fast.Executor(1, initializer=prepare, initargs=("prepared",)) as executor:
    for _ in range(2):
        print(executor.submit(lambda: (state, other)).result())
        executor.submit(lambda: captured.append(1)).result()
print(state)
""")
    assert finished.stdout == "('prepared', 'prepared')\n" * 2 + "None\n"


def test_an_initializer_that_raises_breaks_the_executor(make):
    def fail():
        raise LookupError("no licence")

    executor = make(1, initializer=fail)
    future = executor.submit(pow, 2, 2)
    with pytest.raises(concurrent.futures.BrokenExecutor, match="no licence") as caught:
        future.result(PATIENCE)
    assert type(caught.value.__cause__) is LookupError
    with pytest.raises(concurrent.futures.BrokenExecutor, match="no licence"):
        executor.submit(pow, 2, 2)


def test_workers_are_replaced_after_some_calls(make):
    executor = make(1, max_tasks_per_child=2)
    workers = [executor.submit(os.getpid).result(PATIENCE) for _ in range(9)]
    assert len(set(workers)) >= 3
    assert max(map(workers.count, workers)) <= 4


# --- cancelling


def test_a_call_that_waits_can_be_cancelled_and_one_that_runs_cannot(busy):
    _, running, pending, let_go = busy
    assert running.running()
    assert not running.cancel()
    assert pending[-1].cancel()
    let_go()
    assert running.result(PATIENCE) == "let go"
    assert [future.result(PATIENCE) for future in pending[:-1]] == [2**number for number in range(9)]


def test_a_map_that_is_closed_cancels_what_waits(busy):
    executor, _, _, let_go = busy
    results = executor.map(pow, range(30), range(30))
    threading.Thread(target=let_go).start()
    next(results)
    results.close()
    assert executor.submit(pow, 1, 1).result(PATIENCE) == 1


# --- shutting down


def test_nothing_is_taken_after_shutdown(make):
    executor = make(1)
    executor.submit(pow, 1, 1).result(PATIENCE)
    executor.shutdown()
    for late in (lambda: executor.submit(pow, 1, 1), lambda: executor.map(str, [1])):
        with pytest.raises(RuntimeError, match="cannot schedule new futures after shutdown"):
            late()
    executor.shutdown()


def test_shutdown_waits_for_all_calls(busy):
    executor, running, pending, let_go = busy
    threading.Thread(target=let_go).start()
    executor.shutdown()
    assert running.result(0) == "let go"
    assert [future.result(0) for future in pending] == [2**number for number in range(10)]


def test_shutdown_without_waiting_lets_calls_end(busy):
    executor, running, pending, let_go = busy
    executor.shutdown(wait=False)
    assert not running.done()
    let_go()
    assert pending[-1].result(PATIENCE) == 512


def test_shutdown_cancels_what_waits_if_asked(busy):
    executor, running, pending, let_go = busy
    executor.shutdown(wait=False, cancel_futures=True)
    assert pending[-1] in set(concurrent.futures.as_completed(pending[-1:], PATIENCE))  # it is woken
    assert pending[-1].cancelled()
    let_go()
    assert running.result(PATIENCE) == "let go"


def test_a_callback_may_shut_down(make):
    executor = make(1)
    done = threading.Event()
    future = executor.submit(pow, 2, 2)
    future.add_done_callback(lambda _: (executor.shutdown(), done.set()))
    assert done.wait(PATIENCE)


def test_an_executor_that_is_dropped_ends_when_its_calls_have(make, tmp_path):
    executor = graflow_fast.Executor(1)
    future = executor.submit(wait_for, tmp_path / "gate")
    thread, reference = executor._crew.thread, weakref.ref(executor)
    del executor
    gc.collect()
    assert reference() is None
    (tmp_path / "gate").touch()
    assert future.result(PATIENCE) is None
    thread.join(PATIENCE)
    assert not thread.is_alive()


@pytest.mark.parametrize("how", ["terminate_workers", "kill_workers"])
def test_workers_are_ended_whatever_they_do(busy, how, tmp_path):
    executor, running, pending, _ = busy
    worker = psutil.Process(int((tmp_path / "begun").read_text()))
    getattr(executor, how)()
    with pytest.raises(concurrent.futures.BrokenExecutor, match="kill_workers"):
        running.result(PATIENCE)
    assert pending[-1].cancelled()
    executor.shutdown()
    psutil.wait_procs([worker], PATIENCE)
    assert not worker.is_running()
    with pytest.raises((RuntimeError, concurrent.futures.BrokenExecutor)):
        executor.submit(pow, 1, 1)


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


def test_the_interpreter_waits_for_calls_before_it_ends():
    """In a program without a guard, whose functions are in `__main__`."""
    finished = run("""
import time, graflow_fast
class Answer: text = "said late"
def late():
    time.sleep(0.1)
    print(Answer.text, flush=True)
executor = graflow_fast.Executor(1)
executor.submit(late)
""")
    assert (finished.stdout, finished.stderr, finished.returncode) == ("said late\n", "", 0)


def test_callbacks_at_the_interpreters_end_are_refused_new_calls():
    finished = run("""
import time, graflow_fast
from graflow_fast._calls import executor as module
executor = graflow_fast.Executor(1)
def again(future):
    while not module._is_exiting:
        time.sleep(0.001)
    try:
        executor.submit(pow, 1, 1)
    except RuntimeError as error:
        print(error)
executor.submit(pow, 1, 1).add_done_callback(again)
""")
    assert finished.stdout == "cannot schedule new futures after interpreter shutdown\n"


def test_importing_the_package_does_not_import_it():
    finished = run("import sys, graflow_fast; print('concurrent.futures' in sys.modules)")
    assert finished.stdout == "False\n"
