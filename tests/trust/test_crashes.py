"""A dead worker costs the task that ran in it, nothing else (T1): errors, retries, poison, prints before a crash."""

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
import storm

from graflow_fast import parallel, task, workflow
from graflow_fast.core.retry import RetryPolicy
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    ParallelGroupError,
    RetryLimitExceededError,
    WorkerCrashedError,
)


def run(*members, policy="best_effort", **options):
    with workflow("crashes") as wf:
        parallel(*members).with_execution(policy=policy)
    return wf.execute(max_workers=2, ret_context=True, **options)[1]


def idle(number):
    return number


def many(count, **options):
    made = task(id="idle", **options)(idle)
    return [made(task_id=f"t{number}", number=number) for number in range(count)]


def note(path):
    with open(path, "a") as file:
        file.write("x")
    return Path(path).stat().st_size


def test_kill_storm():
    """As many tasks as a busy machine gets through in half a minute; `make trust` has larger ones."""
    figures = storm.kill_storm(5_000, every=0.02, fading=1.03)
    assert figures["kills"] > 5
    assert [figures[name] for name in ("wrong results", "lost effects", "doubled effects", "out of order")] == [0] * 4


def test_a_crash_is_retried_by_policy(tmp_path):
    path = tmp_path / "attempts"

    @task(retry_policy=RetryPolicy(max_retries=2, initial_interval=0.01))
    def dies_twice():
        if note(path) <= 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return "survived"

    assert run(dies_twice, *many(5)).get_result("dies_twice") == "survived"


def test_without_retries_one_crash_fails_the_task_alone():
    @task
    def dies():
        os._exit(1)

    members = many(200)
    context = run(*members[:100], dies, *members[100:])
    assert [context.get_result(f"t{number}") for number in range(200)] == list(range(200))


@pytest.mark.parametrize("code", [0, 1, 70, 71, 255])
def test_a_body_may_end_its_worker_with_any_code(code):
    def ends(code):
        os._exit(code)

    ends = task("ends")(ends)
    bad = [ends(task_id=f"bad{number}", code=code) for number in range(3)]
    context = run(*bad, *many(5))
    assert [context.get_result(f"t{number}") for number in range(5)] == list(range(5))
    with workflow("crashes") as wf:
        ends(task_id="bad", code=code)
    with pytest.raises(WorkerCrashedError) as caught:
        wf.execute(executor="process", max_workers=2)
    assert caught.value.exit_code == code
    assert "closed its own link" not in str(caught.value)


@pytest.mark.parametrize("then", ["pass", "os._exit(70)", "time.sleep(30)"])
def test_a_body_that_closes_everything_is_told_so(then):
    @task
    def closes(then):
        os.closerange(0, 5000)
        exec(then, {"os": os, "time": time})

    with workflow("crashes") as wf:
        closes(task_id="closes", then=then)
    with pytest.raises(WorkerCrashedError) as caught:
        wf.execute(executor="process", max_workers=2)
    if then != "os._exit(70)":  # which says nothing of its link
        assert "it closed its own link" in str(caught.value)


@pytest.mark.parametrize(("number", "deaths"), [(signal.SIGSEGV, 3), (0, 3), (signal.SIGKILL, 10)])
def test_poison_fails_by_name_whatever_its_retries(tmp_path, number, deaths):
    """By a signal that may come from outside it is given the benefit of the doubt for longer."""
    path = tmp_path / "attempts"

    @task(max_retries=1000)
    def poison():
        note(path)
        if number:
            os.kill(os.getpid(), number)
        os._exit(3)

    members = many(500)  # without retries: one charge would fail them
    with pytest.raises(ParallelGroupError) as caught:
        run(*members[:250], poison, *members[250:], policy="strict")
    assert [name for name, _ in caught.value.failed_tasks] == ["poison"]
    assert len(caught.value.successful_tasks) == 500
    assert path.stat().st_size == deaths
    error = caught.value.__cause__
    while not isinstance(error, WorkerCrashedError):
        error = error.__cause__
    assert error.task_id == "poison"
    assert error.attempt == deaths


def test_deaths_are_no_poison_while_others_die_too(tmp_path):
    """A storm kills whatever runs; what brings its own worker down dies alone."""

    @task(max_retries=1000)
    def killed(name):
        if note(tmp_path / name) <= 15:
            os.kill(os.getpid(), signal.SIGKILL)
        return name

    context = run(killed(task_id="a", name="a"), killed(task_id="b", name="b"))
    assert [context.get_result(name) for name in "ab"] == ["a", "b"]


def test_only_crashes_in_a_row_are_poison(tmp_path):
    @task(inject_context=True, max_retries=1, max_cycles=100)
    def loops(ctx):
        if note(tmp_path / "calls") % 2:
            os._exit(1)
        if ctx.cycle_count < 5:
            ctx.next_iteration()
        return ctx.cycle_count

    assert run(loops, *many(1)).get_result("loops") == 5


def test_retries_exhausted_keep_the_crash_as_cause():
    @task(max_retries=1)
    def dies():
        os._exit(4)

    with workflow("crashes") as wf:
        dies
    with pytest.raises(RetryLimitExceededError) as caught:
        wf.execute(executor="process", max_workers=1)
    assert isinstance(caught.value.__cause__, WorkerCrashedError)
    assert caught.value.__cause__.exit_code == 4


def test_the_error_says_signal_memory_stderr_and_place():
    @task
    def grows_and_dies():
        import faulthandler
        import sys

        kept = bytearray(b"x" * (100 << 20))
        print("before the end", file=sys.stderr)
        os.write(2, b"and around Python\n")
        faulthandler._sigsegv()
        return kept

    with workflow("crashes") as wf:
        grows_and_dies
    with pytest.raises(WorkerCrashedError) as caught:
        wf.execute(executor="process", max_workers=1)
    error = caught.value
    assert error.signal == signal.SIGSEGV
    assert error.peak_memory > 100 << 20
    assert error.stderr_tail == "before the end\nand around Python"
    assert "in grows_and_dies" in error.trace
    assert "_worker" not in error.trace
    text = str(error)
    assert all(words in text for words in ("SIGSEGV", "before the end", "in grows_and_dies"))


def test_an_earlier_tasks_stderr_is_not_shown():
    @task
    def talks():
        os.write(2, b"harmless\n")

    @task
    def dies():
        os._exit(1)

    with workflow("crashes") as wf:
        talks >> dies
    with pytest.raises(WorkerCrashedError) as caught:
        wf.execute(executor="process", max_workers=1)
    assert caught.value.stderr_tail == ""


def test_prints_before_a_crash_appear_in_order(capsys):
    @task
    def says(number):
        print("said by", number)
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    run(*(says(task_id=f"s{number}", number=number) for number in range(5)))
    assert capsys.readouterr().out.splitlines() == [f"said by {number}" for number in range(5)]


def test_a_long_print_survives_and_the_journal_is_cut(capsys):
    @task
    def says(number):
        for line in range(2000):
            print(number, line, "x" * 1000)
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    run(*(says(task_id=f"s{number}", number=number) for number in range(3)))
    assert len(capsys.readouterr().out.splitlines()) == 6000


def test_a_killed_idle_worker_is_replaced():
    run(*many(10))
    for pid in storm.workers():
        os.kill(pid, signal.SIGKILL)
    assert run(*many(10)).get_result("t9") == 9


def test_the_template_may_be_killed():
    started = threading.Event()

    def kill_template():
        started.wait()
        for child in psutil.Process().children():
            if child.children():
                child.kill()

    killer = threading.Thread(target=kill_template)
    killer.start()

    @task(max_retries=5)
    def spins(number):
        return sum(range(200_000)) + number

    started.set()
    context = run(*(spins(task_id=f"s{number}", number=number) for number in range(100)), policy="strict")
    killer.join()
    assert context.get_result("s99") == sum(range(200_000)) + 99


def test_a_lock_whose_holder_dies_is_released():
    @task(inject_context=True)
    def dies(ctx):
        with ctx.get_channel().lock("door"):
            os.kill(os.getpid(), signal.SIGKILL)

    @task(inject_context=True)
    def waits(ctx):
        with ctx.get_channel().lock("door", timeout=20):
            return "in"

    assert run(dies, waits).get_result("waits") == "in"


def test_live_operations_are_exact_under_a_storm():
    @task(inject_context=True, max_retries=50)
    def adds(ctx, number):
        return ctx.get_channel().atomic_add("tickets", 1)

    with storm.Storm(0.01, fading=1.05):
        context = run(*(adds(task_id=f"a{number}", number=number) for number in range(300)), policy="strict")
    values = [context.get_result(f"a{number}") for number in range(300)]
    assert len(set(values)) == 300  # nobody got the same, though attempts that were killed have drawn numbers, too


def test_a_crash_in_the_callers_own_step_is_an_ordinary_error():
    @task
    def dies():
        os._exit(2)

    with workflow("crashes") as wf:
        dies
    with pytest.raises(GraflowRuntimeError, match="ended by itself with exit code 2"):
        wf.execute(executor="process", max_workers=1)
