"""D11: of two processes that want to go on with one run, one does, and the other is told which one that is.

GRAFLOW_FAST_KILLS=all holds a thousand races.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

RACING = Path(__file__).with_name("racing.py")
MEMORY = Path("/dev/shm")
EVERYWHERE = os.environ.get("GRAFLOW_FAST_KILLS") == "all"
RACES = 1000 if EVERYWHERE else 25


@pytest.mark.timeout(1800 if EVERYWHERE else 120)
def test_of_two_who_want_a_run_one_goes_on_and_the_other_is_told_who() -> None:
    """No lock is left behind by the process before, which was killed."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        done = subprocess.run(
            [sys.executable, str(RACING), folder, str(RACES)], capture_output=True, text=True, timeout=1700
        )
    assert done.returncode == 0, done.stderr
    *wrong, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert not wrong
    print(f"D11: {last}")
    assert last["races"] == RACES
