"""What subprocesses and C code write arrives whole, also when they open `/dev/stdout` anew, write much, or are late."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graflow_fast
from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import WorkerCrashedError

SCRIPT = "echo one; echo two >&2; echo three > /dev/stderr; echo four > /dev/stdout; echo five; echo six >&2"
#: What a body that runs it between two prints says.
OUT, ERR = "before\none\nfour\nfive\nafter\n", "two\nthree\nsix\n"

PROGRAM = """
import sys
sys.path[:0] = {path!r}
from test_output_pipes import shape
shape({shape!r}, {options!r})
"""


def speaks(n: int) -> None:
    print("before")
    subprocess.run(SCRIPT, shell=True, check=True)
    print("after")


def shape(name: str, options: dict[str, Any]) -> None:
    """Run two bodies that let a shell write to its streams by all their names."""
    with workflow("reopened") as wf:
        made = task(id="speaks")(speaks)
        if name == "map":
            made.map([1, 2], task_id="m", chunk=2)
        elif name == "steps":
            made(task_id="a", n=1) >> made(task_id="b", n=2)
        else:
            parallel(made(task_id="a", n=1), made(task_id="b", n=2)).set_group_name("start")
    start = {"start_node": "start"} if name == "group" else {}
    wf.execute(**{"max_workers": 2, **start, **options})


def run_program(name: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run one with pipes for its streams: a file would be cut in the calling process, too."""
    program = PROGRAM.format(path=[str(Path(__file__).parent), *sys.path], shape=name, options=options)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.parametrize("executor", ["inline", "process"])
@pytest.mark.parametrize("name", ["steps", "group", "map"])
def test_streams_that_are_opened_anew_lose_nothing(name: str, executor: str) -> None:
    done = run_program(name, executor=executor)
    assert (done.stdout, done.stderr) == (OUT * 2, ERR * 2)


def test_live_output_loses_nothing_either() -> None:
    done = run_program("steps", executor="process", output="live")
    assert (done.stdout, done.stderr) == (OUT * 2, ERR * 2)


def test_a_retry_says_all_of_it_again(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def fails_once() -> None:
        speaks(1)
        if not (tmp_path / "seen").exists():
            (tmp_path / "seen").touch()
            raise ValueError("again")

    with workflow("retried") as wf:
        task(id="retried", max_retries=1)(fails_once)
    wf.execute(executor="process", max_workers=1)
    assert capfd.readouterr() == (OUT * 2, ERR * 2)


def run_one(body: Callable[[], Any], **options: Any) -> Any:
    with workflow("one") as wf:
        task(id="body")(body)
    return wf.execute(executor="process", max_workers=1, **options)


def test_nothing_is_lost_when_the_worker_is_killed_right_after(capfd: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        print("first")
        os.write(1, b"second\n")
        subprocess.run(["sh", "-c", "echo third > /dev/stdout"], check=True)
        os.write(1, b"fourth\n")
        os.kill(os.getpid(), signal.SIGKILL)

    for _ in range(10):
        with pytest.raises(Exception) as caught:
            run_one(body)
        assert isinstance(caught.value.__cause__ or caught.value, WorkerCrashedError)
        assert capfd.readouterr().out == "first\nsecond\nthird\nfourth\n"


def test_what_was_written_long_before_a_death_is_there_as_well(capfd: pytest.CaptureFixture[str]) -> None:
    """Moved by others than the body's worker: it had no time to do it itself."""

    def body() -> None:
        for n in range(40):
            os.write(1, b"%d\n" % n)
            time.sleep(0.002)  # what takes time is what is tested
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(Exception, match="SIGKILL"):
        run_one(body)
    assert capfd.readouterr().out == "".join(f"{n}\n" for n in range(40))


def test_each_body_has_its_own_of_what_takes_long(capfd: pytest.CaptureFixture[str]) -> None:
    @task
    def writes(n: int) -> None:
        print("begins", n)
        for step in range(5):
            os.write(1, b"%d.%d\n" % (n, step))
            time.sleep(0.004)
        print("ends", n)

    with workflow("long") as wf:
        parallel(*[writes(task_id=f"w{n}", n=n) for n in range(8)])
    wf.execute(executor="process", max_workers=2)
    expected = "".join(
        f"begins {n}\n" + "".join(f"{n}.{step}\n" for step in range(5)) + f"ends {n}\n" for n in range(8)
    )
    assert capfd.readouterr().out == expected


MANY = 50_000_000


@pytest.mark.parametrize("speaker", ["os.write", "subprocess", "forked child"])
def test_much_output_arrives_whole(speaker: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    line = b"0123456789abcdef" * 4 + b"\n"
    count = MANY // len(line)

    def write_all() -> None:
        data = memoryview(line * count)
        while data:
            data = data[os.write(1, data) :]

    def body() -> None:
        if speaker == "os.write":
            write_all()
        elif speaker == "subprocess":
            subprocess.run(["sh", "-c", f"yes {line.decode().strip()} | head -n {count}"], check=True)
        else:
            child = os.fork()
            if not child:
                write_all()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0

    run_one(body)
    found = capfdbinary.readouterr().out
    assert len(found) == len(line) * count
    assert hashlib.sha256(found).digest() == hashlib.sha256(line * count).digest()


def test_a_stopped_worker_keeps_none_of_its_subprocesses_waiting(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def body() -> None:
        pid = os.getpid()
        wakes = "while ! grep -q 'State:.T' /proc/$1/status; do :; done; head -c 3000000 /dev/zero | tr '\\0' x; echo"
        writer = subprocess.Popen(["sh", "-c", f"{wakes}; kill -CONT $1", "sh", str(pid)])
        os.kill(pid, signal.SIGSTOP)
        writer.wait()

    run_one(body)
    assert capfd.readouterr().out == "x" * 3_000_000 + "\n"


def test_a_subprocess_that_outlives_its_body_may_open_its_streams_anew(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def begins() -> None:
        print("begins")
        wait = "while [ ! -e go ]; do sleep 0.005; done"
        script = f"echo early; touch begun; {wait}; echo late > /dev/stdout; echo later >> /dev/stdout; touch done"
        subprocess.Popen(["sh", "-c", script], cwd=tmp_path)
        while not (tmp_path / "begun").exists():
            time.sleep(0.001)

    def waits() -> None:
        (tmp_path / "go").touch()
        while not (tmp_path / "done").exists():
            time.sleep(0.001)

    with workflow("late") as wf:
        task(id="begins")(begins) >> task(id="waits")(waits)
    wf.execute("begins", executor="process", max_workers=1)
    assert capfd.readouterr().out == "begins\nearly\nlate\nlater\n"


def test_a_daemon_may_write_when_its_worker_is_gone(tmp_path: Path) -> None:
    """It is in no worker's process group, so it lives on, and is not ended for writing as long as its pool is there."""

    def begins() -> None:
        count = "i=0; while [ ! -e stop ]; do echo $i || exit 1; i=$((i+1)); echo $i > count; sleep 0.001; done"
        subprocess.Popen(["sh", "-c", count], cwd=tmp_path, start_new_session=True)

    def dies() -> None:
        while not (tmp_path / "count").exists():
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL)

    def counted() -> int:
        with contextlib.suppress(ValueError):
            return int((tmp_path / "count").read_text())
        return 0

    def waits() -> None:
        now = counted()
        while counted() < now + 50:
            time.sleep(0.001)

    with workflow("daemon") as wf:
        task(id="begins")(begins) >> task(id="dies")(dies)
    with pytest.raises(Exception, match="SIGKILL"):
        wf.execute("begins", executor="process", max_workers=1)
    run_one(waits)
    (tmp_path / "stop").touch()


@pytest.mark.parametrize("how", ["close", "dup2", "file", "other"])
def test_what_a_body_puts_in_the_place_of_its_streams_ends_with_it(how: str, capfd: pytest.CaptureFixture[str]) -> None:
    @task
    def breaks(n: int) -> None:
        if how == "close":
            os.close(1)
        elif how == "dup2":
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.close(null)
        elif how == "file":
            os.fdopen(1, "w").close()
            sum(range(20_000))
        else:
            os.closerange(1, 3)
            os.open(os.devnull, os.O_WRONLY)

    @task
    def writes(n: int) -> None:
        os.write(1, b"%d\n" % n)

    for count in (2, 40):
        with workflow("broken") as wf:
            parallel(*[(writes if n % 2 else breaks)(task_id=f"t{n}", n=n) for n in range(count)])
        wf.execute(executor="process", max_workers=1)
        assert capfd.readouterr().out == "".join(f"{n}\n" for n in range(1, count, 2))


def test_calls_of_an_executor_have_theirs(capfd: pytest.CaptureFixture[str]) -> None:
    with graflow_fast.Executor(max_workers=1) as pool:
        for n in range(3):
            pool.submit(speaks, n).result(timeout=60)
            assert capfd.readouterr() == (OUT, ERR)


@pytest.mark.parametrize("what", ["workflow", "executor"])
def test_where_an_initializer_leads_a_stream_it_stays(
    what: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"

    def leads_away() -> None:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 1)
        os.close(file)

    def writes(n: int) -> None:
        os.write(1, b"%d\n" % n)
        print("said", n)

    if what == "executor":
        with graflow_fast.Executor(max_workers=1, initializer=leads_away) as pool:
            for n in range(3):
                pool.submit(writes, n).result(timeout=60)
    else:
        with workflow("led") as wf:
            made = task(id="writes")(writes)
            parallel(*[made(task_id=f"t{n}", n=n) for n in range(3)])
        wf.execute(executor="process", max_workers=1, initializer=leads_away)
    assert path.read_text() == "0\n1\n2\n"
    assert capfd.readouterr().out == "said 0\nsaid 1\nsaid 2\n"


def test_output_that_can_not_be_kept_is_missed_aloud() -> None:
    """The file behind it is as long as the system allows: nobody waits, and it is said that something is missing."""
    program = """
import os, resource
from graflow_fast import task, workflow

resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))

@task
def body():
    for n in range(300):
        os.write(1, b"x" * 9_999 + b"\\n")
    return 5

@task
def after():
    print("still there")

with workflow("much") as wf:
    body >> after
context = wf.execute("body", executor="process", max_workers=1, ret_context=True)[1]
assert context.get_result("body") == 5
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert 0 < done.stdout.count("x") <= 1 << 20
    assert done.stdout.endswith("still there\n")
    assert "could not be kept" in done.stderr


def test_a_body_that_forks_is_not_warned_of_threads(capfd: pytest.CaptureFixture[str]) -> None:
    """There are none that it has not made."""

    def body() -> int:
        os.write(1, b"parent\n")
        child = os.fork()
        if not child:
            os.write(1, b"child\n")
            os._exit(0)
        os.waitpid(child, 0)
        return len(os.listdir("/proc/self/task"))

    assert run_one(body) == 1
    assert capfd.readouterr() == ("parent\nchild\n", "")
