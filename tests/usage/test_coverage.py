"""Bodies in workers are measured by coverage.py, by the setting that it has for programs which start processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("coverage", reason="coverage is not installed")

SHOP = """
def price(n):
    if n > 2:
        return n * 2
    return n


def never():
    return 0
"""
PROGRAM = """
from graflow_fast import task, workflow
import shop

with workflow("w", executor="process", max_workers=2) as wf:
    task("prices")(shop.price).map(range(5), task_id="all") >> task("end")(lambda all: sum(all))
    print(wf.execute())
"""


@pytest.mark.parametrize("setting", ["patch = subprocess", "COVERAGE_PROCESS_START"])
def test_lines_that_only_workers_run_are_measured(tmp_path: Path, setting: str) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "program.py").write_text(PROGRAM)
    configuration = tmp_path / ".coveragerc"
    configuration.write_text("[run]\nparallel = true\nsource = .\n")
    environment = dict(os.environ)
    if setting == "COVERAGE_PROCESS_START":
        environment[setting] = str(configuration)
    else:
        configuration.write_text(configuration.read_text() + setting + "\n")

    def coverage(*arguments: str) -> str:
        command = [sys.executable, "-m", "coverage", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert coverage("run", "program.py") == "17\n"
    coverage("combine")
    [line] = [line for line in coverage("report", "-m").splitlines() if line.startswith("shop.py")]
    assert line.split() == ["shop.py", "6", "1", "83%", "9"]
