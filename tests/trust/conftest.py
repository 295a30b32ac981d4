"""After each test of this directory nothing may be left: no process, descriptor, shared memory or temporary file."""

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from graflow_fast._pool import registry

sys.path.insert(0, str(Path(__file__).parent))
# Other tests run beside these, so temporary files of theirs are elsewhere.
os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix="trust-")
atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell does it for jobs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the programs that tests interrupt inherit it


def open_descriptors() -> int:
    """How many there are, but for the one that `graflow-fast stacks` asks by: a program keeps it until it ends."""
    kept = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            kept += "graflow-stacks" not in os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the folder itself, which is closed by now
            kept += 1
    return kept


def kept_files() -> set[str]:
    return {
        entry.path
        for place in ("/dev/shm", tempfile.gettempdir())
        for entry in os.scandir(place)
        if "graflow" in entry.name or entry.name.startswith("psm_")
    }


@pytest.fixture(autouse=True)
def nothing_left():
    """Whole-process check; a pool that waits for the next run may stay, so it is ended on both sides."""
    registry.shutdown_all()
    gc.collect()
    descriptors, files = open_descriptors(), kept_files()
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    registry.shutdown_all()
    gc.collect()
    assert [child for child in psutil.Process().children(recursive=True) if child.pid not in children] == []
    assert open_descriptors() == descriptors
    assert kept_files() == files
