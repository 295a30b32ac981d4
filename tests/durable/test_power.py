"""D3: whatever a disk has of a program's files when the power goes, its runs go on from a state that existed.

GRAFLOW_FAST_KILLS=all cuts five hundred times. What a run has synced itself (``sync="power"``) is in its mapped tail,
which a trace of calls doesn't show; ``rust/store/tests/tail.rs`` has its model.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

CUTTING = Path(__file__).with_name("cutting.py")
MEMORY = Path("/dev/shm")
EVERYWHERE = os.environ.get("GRAFLOW_FAST_KILLS") == "all"
CUTS = 500 if EVERYWHERE else 25


@pytest.mark.timeout(1800 if EVERYWHERE else 120)
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed, which shows what reaches the disk")
def test_a_run_goes_on_from_a_state_that_existed_when_the_power_was_lost() -> None:
    """Unsynced writes are dropped, torn and reordered; no step that was kept runs again, and none is left out."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        done = subprocess.run(
            [sys.executable, str(CUTTING), folder, str(CUTS), "1"], capture_output=True, text=True, timeout=1700
        )
    assert done.returncode == 0, done.stderr
    *wrong, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert not wrong, wrong[:3]
    print(f"D3: {last}")
    assert last["cuts"] == CUTS
    assert last["calls"] > 100
