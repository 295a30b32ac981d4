"""D1 and hard test 1: a run that is killed anywhere and resumed has the outcome of one that was not.

GRAFLOW_FAST_KILLS=all kills before and after every entry of every shape's journal, inline and in the pool.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

KILLING = Path(__file__).with_name("killing.py")
MEMORY = Path("/dev/shm")
EVERYWHERE = os.environ.get("GRAFLOW_FAST_KILLS") == "all"


def killed(executor: str, step: int, *shapes: str) -> list[dict[str, Any]]:
    """Kill runs of some shapes; return what was said of them, how many kills there were at last."""
    # In memory: what is shown here does not depend on the disk, and there are hundreds of stores.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        command = [sys.executable, str(KILLING), folder, executor, str(step), *shapes]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_a_run_killed_at_any_entry_and_up_to_five_times_ends_as_if_it_had_not_been() -> None:
    """No body that was done runs again, and none is left out; inline, where one body at a time is under way."""
    *wrong, last = killed("inline", 1 if EVERYWHERE else 4)
    assert not wrong
    assert last["kills"] >= 100


@pytest.mark.parametrize("shape", ["graph", "group"] if not EVERYWHERE else ["chain", "control", "graph", "group"])
def test_what_workers_have_done_survives_the_death_of_the_program(shape: str) -> None:
    """The same with bodies in worker processes, which die with it."""
    *wrong, last = killed("process", 1 if EVERYWHERE else 8, shape)
    assert not wrong
    assert last["kills"] >= 2
