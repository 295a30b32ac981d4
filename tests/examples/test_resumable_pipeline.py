"""The example of a durable run: killed in the middle, as often as it says, and started again."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from graflow_fast._store import JOURNAL_STREAM, list_runs, open_store

EXAMPLE = Path(__file__).parents[2] / "examples" / "resumable_pipeline.py"


def begin(folder: Path, store: Path) -> subprocess.Popen[str]:
    """Start the example over a folder."""
    command = [sys.executable, str(EXAMPLE), str(folder), "--store", str(store), "--workers", "1"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)


def entries_of(store: Path) -> int:
    """Return how much the run has written down so far."""
    with contextlib.suppress(OSError):  # the store is being set up
        if list_runs(store):
            return sum(1 for _ in open_store(store, read_only=True).read(1, JOURNAL_STREAM))
    return 0


def await_entries(store: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until the run has written down so much."""
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if entries_of(store) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"the example has ended before it was killed: {process.communicate()}")


def report(process: subprocess.Popen[str]) -> list[str]:
    """Return what it printed, when it has ended well."""
    said, errors = process.communicate(timeout=100)
    assert (process.returncode, errors) == (0, "")
    return said.splitlines()


def test_killed_twice_it_gives_the_report_of_a_run_that_nobody_killed(tmp_path: Path) -> None:
    """What was read is not read again, and a third start gives the report back at once."""
    folder, store = tmp_path / "sources", tmp_path / "runs.db"
    folder.mkdir()
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:110]:
        shutil.copy(file, folder)
    for entries in (4, 6):  # what it was, the survey, and parts
        process = begin(folder, store)
        await_entries(store, entries, process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    *found, parts = report(begin(folder, store))
    *whole, _ = report(begin(folder, tmp_path / "other.db"))
    assert found == whole
    by_each = [int(number) for number in parts.split(": ")[1].split(";")[0].split(" and ")]
    assert sum(by_each) == 10
    assert by_each[0] >= 2
    assert report(begin(folder, store))[:-1] == whole
