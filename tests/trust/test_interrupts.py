"""Ctrl-C once, twice, at random moments, in every phase of a run: it stops in time, and nothing is left (T5)."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from test_stopping import descendants, gone, left_of_session, wait_until

from graflow_fast import task, workflow
from graflow_fast._pool import fork_server
from graflow_fast._pool.signals import postponed_signals

STORM = textwrap.dedent(
    """
    import contextlib, gc, os, random, signal, sys, threading, time
    import psutil
    from graflow_fast import parallel, task, workflow
    from graflow_fast._pool import registry

    executor, number, chance = sys.argv[1], getattr(signal, sys.argv[2]), random.Random(int(sys.argv[3]))
    received = 0

    def interrupt(*_):
        global received
        received += 1
        raise KeyboardInterrupt

    signal.signal(number, interrupt)

    @task
    def spins(number):
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass
        return number

    @task
    def sleeps(number):
        time.sleep(0.02)
        return number

    def run():
        with workflow("storm") as wf:
            parallel(*((spins, sleeps)[n % 2](task_id=f"w{n}", number=n) for n in range(20)))
        context = wf.execute(executor=executor, max_workers=2, ret_context=True)[1]
        assert [context.get_result(f"w{n}") for n in range(20)] == list(range(20))

    def send(moments, go):
        go.wait()
        for moment in moments:
            time.sleep(moment)
            os.kill(os.getpid(), number)

    def interrupted_run():
        moments = [chance.uniform(0, 0.4)] + ([chance.uniform(0, 0.2)] if chance.random() < 0.5 else [])
        before = received
        go = threading.Event()
        sender = threading.Thread(target=send, args=(moments, go))
        sender.start()

        def all_came():
            sender.join()
            late = time.monotonic() + 0.2  # they act a little after they were sent, and two may act as one
            while received < before + len(moments) and time.monotonic() < late:
                time.sleep(0.005)

        # There are at most two, and each is caught wherever it comes.
        with contextlib.suppress(KeyboardInterrupt):
            with contextlib.suppress(KeyboardInterrupt):
                go.set()
                run()
            all_came()
        with contextlib.suppress(KeyboardInterrupt):
            all_came()
        return received - before

    def left():
        registry.shutdown_all()
        gc.collect()
        fds = sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                     if os.path.exists(f"/proc/self/fd/{fd}"))
        return [fd for fd in fds if not fd.startswith("/proc/")], psutil.Process().children(recursive=True)

    run()
    before = left()
    sent = 0
    until = time.monotonic() + float(sys.argv[4])
    while time.monotonic() < until:
        sent += interrupted_run()
        if chance.random() < 0.5:
            run()
        if chance.random() < 0.5:
            assert left() == before, (left(), before)
    run()
    assert left() == before, (left(), before)
    print("sent", sent)
    """
)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("executor", ["auto", "thread", "inline"])
def test_interrupts_at_random_moments_leave_nothing_and_the_next_run_works(executor, name):
    """One or two at a time, in one program that goes on; a SIGTERM with a handler of the program's own."""
    seed = {"auto": 1, "thread": 2, "inline": 3}[executor]
    seconds = "12" if executor == "auto" else "3"
    done = subprocess.run(
        [sys.executable, "-c", STORM, executor, name, str(seed), seconds], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 3


BODY = textwrap.dedent(
    """
    import os, signal, sys, time
    from graflow_fast import parallel, task, workflow

    @task
    def works(number):
        if HANDLER:
            signal.signal(signal.SIGTERM, HANDLER)
        os.open(f"{sys.argv[1]}/begun{number}", os.O_CREAT)
        try:
            time.sleep(60)
            while True:
                time.sleep(1)
        finally:
            open(f"{sys.argv[1]}/cleaned{number}", "w").close()

    with workflow("stopping") as wf:
        parallel(*(works(task_id=f"w{n}", number=n) for n in range(2)))
        wf.execute(max_workers=2)
    """
)


def start(folder, handler):
    code = BODY.replace("HANDLER", handler)
    program = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_until(lambda: len(list(folder.glob("begun*"))) == 2)
    return program


def end_of(program, processes):
    _, err = program.communicate(timeout=10)
    assert gone(processes, 1.0)
    wait_until(lambda: left_of_session(program.pid) == [], 1.0)
    return err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_bodies_get_a_moment_to_clean_up(tmp_path, number):
    program = start(tmp_path, "lambda *_: sys.exit(0)")
    processes = descendants(program)
    program.send_signal(number)
    begun = time.monotonic()
    end_of(program, processes)
    assert time.monotonic() - begun < 1.0
    assert len(list(tmp_path.glob("cleaned*"))) == 2
    assert program.returncode == -number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_bodies_that_refuse_are_made_to_end(tmp_path, number):
    program = start(tmp_path, "signal.SIG_IGN")
    processes = descendants(program)
    program.send_signal(number)
    begun = time.monotonic()
    end_of(program, processes)
    assert time.monotonic() - begun < 1.0


def test_a_second_ctrl_c_kills_at_once(tmp_path):
    program = start(tmp_path, 'lambda *_: open(f"{sys.argv[1]}/told{number}", "w").close()')
    processes = descendants(program)
    program.send_signal(signal.SIGINT)
    wait_until(lambda: len(list(tmp_path.glob("told*"))) == 2)  # now they are given time to end
    assert program.poll() is None
    program.send_signal(signal.SIGINT)
    begun = time.monotonic()
    err = end_of(program, processes)
    assert time.monotonic() - begun < 0.25
    assert err.rstrip().endswith("KeyboardInterrupt")


EXITS = textwrap.dedent(
    """
    import os, signal, sys, threading, time
    from graflow_fast import parallel, task, workflow

    @task
    def works(number):
        signal.signal(signal.SIGTERM, lambda *_: open(f"{sys.argv[1]}/told{number}", "w").close())
        os.open(f"{sys.argv[1]}/begun{number}", os.O_CREAT)
        while True:
            time.sleep(1)

    def main():
        with workflow("stopping") as wf:
            parallel(*(works(task_id=f"w{n}", number=n) for n in range(2)))
            wf.execute(max_workers=2)

    threading.Thread(target=main, daemon=True).start()
    while len(os.listdir(sys.argv[1])) < 2:
        time.sleep(0.01)
    WAY
    """
)


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("os._exit(5)", 5),
        ("sys.exit(6)", 6),
        ("raise ValueError('end')", 1),
        ("os.abort()", -signal.SIGABRT),
        ("os.execv('/bin/sleep', ['sleep', '0.1'])", 0),
    ],
)
def test_every_way_to_end_in_the_middle(tmp_path, way, code):
    program = subprocess.Popen(
        [sys.executable, "-c", EXITS.replace("WAY", way), str(tmp_path)],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: len(list(tmp_path.glob("begun*"))) == 2)
    assert program.wait(10) == code
    wait_until(lambda: left_of_session(program.pid) == [], 1.0)


@pytest.mark.parametrize("told", [0, 1, 2])
def test_ctrl_c_while_the_program_ends(tmp_path, told):
    """The moment in which bodies that refuse to end are waited for."""
    program = subprocess.Popen(
        [sys.executable, "-c", EXITS.replace("WAY", "print('ends', flush=True)"), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert program.stdout.readline() == b"ends\n"
    processes = descendants(program)
    wait_until(lambda: len(list(tmp_path.glob("told*"))) >= told)
    program.send_signal(signal.SIGINT)
    begun = time.monotonic()
    program.communicate(timeout=10)
    assert gone(processes, 1.0)
    wait_until(lambda: left_of_session(program.pid) == [], 1.0)
    assert time.monotonic() - begun < 1.0
    assert os.getsid(0) != program.pid


@pytest.mark.parametrize("moment", ["fork", "forked"])
def test_ctrl_c_in_the_middle_of_starting_workers(monkeypatch, moment):
    """It acts when the one that is being started is known to somebody who ends it."""
    calls = []
    original = getattr(fork_server.ForkServer, moment)

    def interrupted(self, *arguments):
        calls.append(signal.raise_signal(signal.SIGINT) if not calls else None)
        return original(self, *arguments)

    monkeypatch.setattr(fork_server.ForkServer, moment, interrupted)
    with workflow("interrupted") as wf:
        task(id="a")(int) | task(id="b")(int)
    with pytest.raises(KeyboardInterrupt):
        wf.execute(max_workers=2)
    assert len(calls) >= 1
    wf.execute(max_workers=2)


def test_a_second_signal_is_not_postponed():
    reached = []
    with pytest.raises(KeyboardInterrupt), postponed_signals():
        signal.raise_signal(signal.SIGINT)
        reached.append("first")
        signal.raise_signal(signal.SIGINT)
        reached.append("second")
    assert reached == ["first"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
