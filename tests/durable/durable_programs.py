"""Programs of their own, with a durable run in each, that the tests of hard cases start, stop and kill.

Owns what every such program begins with. A program gets the folder of its store as its first argument.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What every program begins with: the folder, and how to kill itself at an entry of the journal.
BEGIN = '''
import os, random, signal, sys, time, warnings
from pathlib import Path
from graflow_fast import parallel, task, workflow
from graflow_fast.core.retry import RetryPolicy
from graflow_fast._run.journal.journal import Journal

folder = Path(sys.argv[1])
store = folder / "runs.db"
warnings.simplefilter("ignore")


def note(text):
    with open(folder / "noted", "a") as file:
        file.write(text + "\\n")


def await_file(name):
    while not (folder / name).exists():
        time.sleep(0.005)


def kill_at(is_there):
    """Kill this program when an entry is written of which this holds."""

    def watched(entry, is_written):
        if is_written and is_there(entry):
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.watch = staticmethod(watched)
'''


def begin(folder: Path, text: str, *words: str) -> subprocess.Popen[str]:
    """Start a program."""
    program = folder / "program.py"
    program.write_text(BEGIN + text)
    command = [sys.executable, str(program), str(folder), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)


def run(folder: Path, text: str, *words: str) -> tuple[int, str, str]:
    """Run a program; return its exit code, what it printed, and its errors."""
    process = begin(folder, text, *words)
    said, errors = process.communicate(timeout=120)
    return process.returncode, said, errors


def noted(folder: Path) -> list[str]:
    """Return what bodies have noted."""
    return (folder / "noted").read_text().splitlines()


def await_that(holds: Callable[[], Any], what: str, seconds: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.005)
