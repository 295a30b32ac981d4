"""What a body does to its process is no other task's affair, and what the package does to the machine nobody else's."""

import contextlib
import itertools
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import psutil
import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast._wire.shared import segments
from graflow_fast.core.workflow import current_workflow_context, set_current_workflow_context
from graflow_fast.exceptions import GraflowRuntimeError, WorkerCrashedError


def after(body, capsys):
    """What another task of the same worker finds after that body; in the same go, and in a run of its own."""

    def look():
        return (
            [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGALRM)],
            os.getcwd(),
            dict(os.environ),
            sys.getrecursionlimit(),
            print("seen"),
            signal.getitimer(signal.ITIMER_REAL),
            subprocess.run("echo $ADDED $TERM; pwd", shell=True, capture_output=True, text=True).stdout,
        )

    def run(*bodies):
        with workflow("neighbours") as wf:
            tasks = [task(id=f"t{number}")(each) for number, each in enumerate(bodies)]
            for one, other in itertools.pairwise(tasks):
                one >> other
        context = wf.execute("t0", executor="process", max_workers=1, ret_context=True)[1]
        return context.get_result(f"t{len(bodies) - 1}")

    before = run(look)
    assert run(body, look) == before
    run(body)
    assert run(look) == before
    assert capsys.readouterr().out == "seen\n" * 3


def handlers():
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def alarm():
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.05)


def directory():
    os.chdir("/")


def environment():
    os.environ["ADDED"] = "yes"
    os.environ["TERM"] = "other"
    os.environ.pop("HOME", None)


def forgotten_alarm():
    signal.alarm(0) or signal.setitimer(signal.ITIMER_REAL, 0.05)


def streams():
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    print("lost, as it says")


def limits():
    sys.setrecursionlimit(70)
    sys.settrace(lambda *_: None)


def raises():
    environment()
    os.chdir("/")
    try:
        raise ValueError("after changing everything")
    finally:
        handlers()


@pytest.mark.parametrize("body", [handlers, alarm, forgotten_alarm, directory, environment, streams, limits])
def test_a_body_that_changes_its_process(body, capsys):
    after(body, capsys)


def test_the_system_module_still_travels():
    """A function made in a worker names it."""

    @task(inject_context=True)
    def makes(ctx):
        ctx.next_task(task(id="made")(lambda: sys.maxsize))

    with workflow("neighbours") as wf:
        makes
    assert wf.execute(executor="process", max_workers=1) == sys.maxsize


def test_a_body_that_changes_its_process_and_raises(monkeypatch):
    def wrapped():
        raises()

    with workflow("neighbours") as wf:
        task(id="raises")(wrapped)
    with pytest.raises(GraflowRuntimeError):
        wf.execute(executor="process", max_workers=1)
    with workflow("neighbours") as wf:
        task(id="looks")(lambda: (os.getcwd(), os.environ.get("ADDED"), signal.getsignal(signal.SIGUSR1)))
    assert wf.execute(executor="process", max_workers=1) == (os.getcwd(), None, signal.SIG_DFL)


def test_nothing_listens_on_a_port_and_files_are_the_users_own(tmp_path):
    found = []

    def look():
        for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
            found.extend(process.net_connections("inet"))
            for fd in os.listdir(f"/proc/{process.pid}/fd"):
                path = f"/proc/{process.pid}/fd/{fd}"
                with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                    if "graflow" in os.readlink(path):
                        modes.add(stat.S_IMODE(os.stat(path).st_mode))

    modes = set()

    def wait_for(condition):
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.005)

    def look_in_the_middle():
        try:
            wait_for(lambda: len(list(tmp_path.glob("begun*"))) == 2)
            look()
        finally:
            (tmp_path / "looked").touch()

    @task
    def waits(number, data):
        (tmp_path / f"begun{number}").touch()
        wait_for((tmp_path / "looked").exists)
        return bytes(data)

    with workflow("neighbours") as wf:
        parallel(*(waits(task_id=f"w{number}", number=number, data=bytes(1_000_000)) for number in range(2)))
    looker = threading.Thread(target=look_in_the_middle)
    looker.start()
    wf.execute(max_workers=2)
    looker.join()
    while segments.arena.resting:  # kept for the next large value
        segments.arena.resting.pop().close()
    assert found == []
    assert modes == {0o600}


def test_poison_says_why_it_is_not_tried_again():
    @task(max_retries=100)
    def aborts():
        os.abort()

    with workflow("neighbours") as wf:
        aborts
    with pytest.raises(WorkerCrashedError) as caught:
        wf.execute(executor="process", max_workers=1)
    assert "SIGABRT" in str(caught.value)
    assert "3 workers have died running it, so it is not tried again" in str(caught.value)
    assert caught.value.attempt == caught.value.deaths == 3


def test_a_crash_shows_the_bodys_frames_alone(capsys):
    @task
    def aborts():
        print("before", file=sys.stderr)
        os.abort()

    with workflow("neighbours") as wf:
        aborts
    with pytest.raises(WorkerCrashedError) as caught:
        wf.execute(executor="process", max_workers=1)
    for text in (capsys.readouterr().err, str(caught.value)):
        assert "Fatal Python error: Aborted" in text
        assert "in aborts" in text
        assert "graflow_fast" not in text
        assert "<string>" not in text


def test_an_exception_without_words_is_named():
    with workflow("neighbours") as wf:
        task(id="grows")(lambda: bytearray(1 << 55))
    with pytest.raises(GraflowRuntimeError, match="MemoryError"):
        wf.execute(executor="process", max_workers=1)


def test_a_body_that_changes_the_current_workflow():
    def leave():
        set_current_workflow_context(workflow("left behind"))

    with workflow("outer") as wf:
        task(id="leave")(leave) >> task(id="look")(lambda: current_workflow_context().name)
        assert wf.execute(executor="process", max_workers=1) == "outer"
        assert wf.execute("look", executor="process", max_workers=1) == "outer"
