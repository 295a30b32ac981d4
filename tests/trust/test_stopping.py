"""Ctrl-C, SIGTERM, SIGKILL of the program, cancel, exits, forks and threads: nothing outlives a run (T5)."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import GraflowWorkflowCanceledError

PROGRAM = textwrap.dedent(
    """
    import os, sys, time
    from graflow_fast import parallel, task, workflow

    @task
    def works(number):
        print("begun", flush=True)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            HOW

    def main():
        with workflow("stopping") as wf:
            parallel(*(works(task_id=f"w{n}", number=n) for n in range(4)))
            try:
                wf.execute(executor=sys.argv[1], max_workers=2, output="live")
            except KeyboardInterrupt:
                print("interrupted", flush=True)
                raise

    os.write(1, b"ready\\n")
    main()
    """
)


def start(executor, how="time.sleep(1)"):
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("HOW", how), executor],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout.readline() == "ready\n"
    return program


def descendants(program):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(program.pid).children(recursive=True)
    return []


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def bodies_run(program, executor):
    """Wait until the bodies are under way."""
    if executor in ("process", "auto"):
        wait_until(lambda: len(descendants(program)) >= 3)  # the template and two workers
        time.sleep(0.2)  # lint: ignore - nothing says that a body has begun: its prints come with its report
    elif executor == "thread":
        wait_until(lambda: psutil.Process(program.pid).num_threads() >= 3)
    else:
        assert program.stdout.readline() == "begun\n"


def is_alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(processes, seconds):
    wait_until(lambda: not any(map(is_alive, processes)), seconds)
    return True


@pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])
def test_ctrl_c_stops_within_a_second(executor):
    program = start(executor)
    bodies_run(program, executor)
    processes = descendants(program)
    begun = time.monotonic()
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=10)
    assert time.monotonic() - begun < 1.0
    assert program.returncode == -signal.SIGINT
    assert "interrupted" in out
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert gone(processes, 1.0)


@pytest.mark.parametrize("executor", ["process", "auto"])
def test_ctrl_c_of_a_terminal_reaches_the_whole_group(executor):
    """A terminal sends it to every process of the foreground group; workers leave the decision to the program."""
    program = start(executor, "sum(range(10000))")
    bodies_run(program, executor)
    processes = descendants(program)
    begun = time.monotonic()
    os.killpg(program.pid, signal.SIGINT)
    out, _ = program.communicate(timeout=10)
    assert time.monotonic() - begun < 1.0
    assert "interrupted" in out
    assert gone(processes, 1.0)


@pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])
def test_sigterm_leaves_nothing(executor):
    program = start(executor)
    bodies_run(program, executor)
    processes = descendants(program)
    begun = time.monotonic()
    program.terminate()
    program.communicate(timeout=10)
    assert gone(processes, 1.0)
    assert time.monotonic() - begun < 1.0


@pytest.mark.parametrize("seed", range(12))
def test_no_worker_outlives_the_program(seed):
    """SIGKILL, SIGTERM or SIGINT at random moments, from before the pool is there to the middle of the work."""
    chance = random.Random(seed)
    program = start("process", "sum(range(1000))")
    time.sleep(chance.uniform(0, 0.4))  # lint: ignore - the random moment
    processes = descendants(program)
    program.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
    program.communicate(timeout=10)
    assert gone(processes, 1.0)
    wait_until(lambda: left_of_session(program.pid) == [], 1.0)


def left_of_session(session):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.mark.parametrize("call", ["cancel_workflow", "terminate_workflow"])
def test_a_stop_from_inside_stops_running_siblings_at_once(call):
    @task(inject_context=True)
    def stops(ctx):
        getattr(ctx, call)("enough")

    @task
    def sleeps():
        time.sleep(60)

    begun = time.monotonic()
    with workflow("stopping") as wf:
        stops | sleeps
    expected = pytest.raises(GraflowWorkflowCanceledError) if call == "cancel_workflow" else contextlib.nullcontext()
    with expected:
        wf.execute(max_workers=2)
    assert time.monotonic() - begun < 2.0


def test_an_error_outside_leaves_no_body_running():
    @task
    def sleeps(number):
        time.sleep(60)

    with workflow("stopping") as wf:
        parallel(*(sleeps(task_id=f"s{number}", number=number) for number in range(4)))
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        wf.execute(max_workers=2)
    timer.join()


def test_a_workflow_inside_a_task():
    @task
    def outer():
        with workflow("inner") as wf:
            parallel(*(task(id=f"i{number}")(os.getpid) for number in range(4)))
        context = wf.execute(max_workers=2, ret_context=True)[1]
        return [context.get_result(f"i{number}") for number in range(4)]

    with workflow("outer") as wf:
        outer
    pids = wf.execute(executor="process", max_workers=1)
    assert len(pids) == 4
    assert os.getpid() not in pids


def run_sums(name):
    @task
    def adds(number):
        return sum(range(number))

    with workflow(name) as wf:
        parallel(*(adds(task_id=f"a{number}", number=number) for number in range(200)))
    context = wf.execute(max_workers=2, ret_context=True)[1]
    return [context.get_result(f"a{number}") for number in range(200)] == [sum(range(n)) for n in range(200)]


def test_two_workflows_in_two_threads():
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(run_sums(f"thread{n}"))) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == [True, True]


def test_a_fork_of_the_program_has_pools_of_its_own():
    assert run_sums("parent")
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if run_sums("child") else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run_sums("parent again")


def test_exit_in_the_middle():
    """A program that ends while a run is under way in a thread takes the workers with it."""
    program = (
        PROGRAM.replace("HOW", "time.sleep(1)").replace("\nmain()", "")
        + "import threading\nthreading.Thread(target=main, daemon=True).start()\ntime.sleep(0.5)\nsys.exit(3)\n"
    )
    begun = time.monotonic()
    done = subprocess.Popen(
        [sys.executable, "-c", program, "process"], stdout=subprocess.DEVNULL, start_new_session=True
    )
    assert done.wait(10) == 3
    wait_until(lambda: left_of_session(done.pid) == [], 1.0)
    assert time.monotonic() - begun < 5
