"""Loggers and the like that can't be copied, and live in a module of the program's: each worker has the module's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
class JsonLogger:
    def __init__(self, path):
        self.file = open(path, "a")  # so it can't be pickled
        self.told = set()

    def info(self, text):
        self.told.add(text)
        self.file.write(text + "\\n")
        self.file.flush()


log = JsonLogger("shop.log")
"""
PROGRAM = """
import sys
from shop_logs import log
from graflow_fast import parallel, task, workflow

def book(n):
    log.info(f"booked {n}")
    return n * 10

def noted(n):
    return book(n)

with workflow("w", executor=sys.argv[1]) as wf:
    parallel(*(task(f"book_{n}")(noted)(task_id=f"b{n}", n=n) for n in range(3))) >> task("more")(book).map([7, 8])
    print(wf.execute())
"""


@pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])
def test_it_logs_from_everywhere(tmp_path: Path, executor: str) -> None:
    (tmp_path / "shop_logs.py").write_text(MODULE)
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py", executor], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "[70, 80]\n"
    assert "Error" not in done.stderr
    lines = (tmp_path / "shop.log").read_text().splitlines()
    assert sorted(lines) == [f"booked {n}" for n in (0, 1, 2, 7, 8)]
