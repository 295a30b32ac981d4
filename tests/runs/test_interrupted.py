"""Ctrl-C and the end of the program, with a run under way."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

PROGRAM = textwrap.dedent(
    """
    import pathlib, sys, threading, time
    from graflow_fast import task, workflow

    @task
    def work():
        print("begun", flush=True)
        pathlib.Path("begun").touch()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            time.sleep(0.01)
        FAILS
        return "done"

    with workflow("beside") as wf:
        wf.add_node("work", work)
    run = wf.start(executor=sys.argv[1], output="live")
    run.add_done_callback(lambda run: (time.sleep(0.1), print("ended", run.context.stop_reason, flush=True)))
    THEN
    """
)


def begin(folder: Path, executor: str, then: str, seconds: float, fails: str = "pass") -> subprocess.Popen[str]:
    if then == "pass":  # called first when the program waits for its threads at its end
        then = "threading._register_atexit(pathlib.Path('over').touch)"
    code = PROGRAM.replace("SECONDS", str(seconds)).replace("THEN", then).replace("FAILS", fails)
    return subprocess.Popen(
        [sys.executable, "-c", code, executor],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


@pytest.mark.parametrize("executor", ["inline", "process"])
@pytest.mark.parametrize("then", ["run.result()", "time.sleep(60)", "pass"], ids=["waits", "does else", "has ended"])
def test_ctrl_c_ends_everything(executor: str, then: str, tmp_path: Path) -> None:
    program = begin(tmp_path, executor, then, 60)
    deadline = time.monotonic() + 30
    signs = ["begun", "over"] if then == "pass" else ["begun"]
    while not all((tmp_path / sign).exists() for sign in signs):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=20)
    assert program.returncode == (0 if then == "pass" else -signal.SIGINT)


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_program_that_has_nothing_else_to_do_waits_for_its_run(executor: str, tmp_path: Path) -> None:
    out, err = begin(tmp_path, executor, "pass", 0.1).communicate(timeout=30)
    assert out.splitlines()[-1] == "ended completed", err


def test_a_failure_is_shown_at_the_end_at_the_latest(tmp_path: Path) -> None:
    _, err = begin(tmp_path, "inline", "pass", 0.0, "raise ValueError('no such file')").communicate(timeout=30)
    assert "A run of workflow 'beside' failed, and nobody has asked for its result()" in err
    assert "ValueError: no such file" in err
