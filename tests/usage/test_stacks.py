"""What a running program and its workers are doing, asked from outside; asking changes nothing of what they do."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import _stacks
from graflow_fast._commands import stacks
from graflow_fast._commands.main import main

PROGRAM = """
import ctypes, os, re, sys, threading, time
from graflow_fast import parallel, task, workflow

def wait_for_end():
    while not os.path.exists("end"):
        time.sleep(0.01)

with workflow("busy") as wf:

    @task
    def sleeps():
        wait_for_end()
        return "slept"

    @task
    def holds_the_interpreter():
        while not os.path.exists("end"):
            ctypes.PyDLL(None).usleep(300_000)  # C code that doesn't let go of the interpreter
        return "held"

    @task
    def sums(sleeps, holds_the_interpreter):
        return sleeps + holds_the_interpreter

    parallel(sleeps, holds_the_interpreter) >> sums
    print(wf.execute(executor=sys.argv[1], max_workers=2))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "busy.py").write_text(PROGRAM)
    return tmp_path


@pytest.fixture(params=["process", "inline"])
def program(request: Any, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A program whose bodies run until there is a file of a certain name."""
    words = [sys.executable, "busy.py", request.param]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def asked(pid: int, capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out if main(["stacks", "--pid", str(pid)]) == 0 else ""


def test_the_line_of_each_busy_worker_is_shown_and_nothing_changes(
    program: subprocess.Popen[str], folder: Path, capsys: pytest.CaptureFixture[str]
):
    in_workers = program.args[-1] == "process"  # type: ignore[index]
    wanted = ["time.sleep(0.01)", "usleep(300_000)"] if in_workers else ["in sleeps"]
    wait_until(lambda: all(words in asked(program.pid, capsys) for words in wanted))
    capsys.readouterr()
    assert main(["stacks", "--pid", str(program.pid), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == 1
    running = {each["task"] for each in told["programs"][0]["workers"] if each["running"]}
    assert running == ({"sleeps", "holds_the_interpreter"} if in_workers else set())
    (folder / "end").touch()
    assert program.communicate(timeout=60)[0] == "sleptheld\n"
    assert program.returncode == 0


def test_who_would_die_of_the_signal_is_never_asked(capsys: pytest.CaptureFixture[str]):
    """A process without a handler for it, for example one that has run no workflow."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        assert main(["stacks", "--pid", str(other.pid)]) == 2
        assert "can't be asked" in capsys.readouterr().err
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize(("text", "number"), [("", 39), ("0", 0), ("41", 41), ("no", 0), ("99", 0)])
def test_the_variable_says_which_signal_asks(monkeypatch: pytest.MonkeyPatch, text: str, number: int):
    monkeypatch.setenv("GRAFLOW_FAST_STACK_SIGNAL", text)
    assert _stacks.signal_number() == number


def test_a_program_that_has_taken_the_signal_keeps_it():
    code = "import signal; signal.signal(39, lambda *_: print('mine')); from graflow_fast import _stacks; "
    code += "_stacks.listen(); signal.raise_signal(39)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "mine\n"


def test_stacks_are_read_from_what_the_system_writes():
    text = 'Thread 0x01 (most recent call first):\n  File "a.py", line 3 in f\n  File "b.py", line ??? in g\n\n'
    text += 'Current thread 0x02 (most recent call first):\n  File "c d.py", line 4 in <module>\n'
    found = stacks._stacks_of(text)
    assert [(each.thread, each.frames) for each in found] == [
        ("Thread 0x01", [("a.py", 3, "f"), ("b.py", None, "g")]),
        ("Current thread 0x02", [("c d.py", 4, "<module>")]),
    ]


def test_a_stopped_process_does_not_answer_and_is_not_waited_for_long(program: subprocess.Popen[str], capsys: Any):
    wait_until(lambda: bool(asked(program.pid, capsys)))
    os.kill(program.pid, signal.SIGSTOP)
    try:
        assert "does not answer" in asked(program.pid, capsys)
    finally:
        os.kill(program.pid, signal.SIGCONT)
