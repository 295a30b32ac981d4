"""What tests of large values share: shared memory used from small sizes on, and a look at what is left."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from graflow_fast._pool.registry import shutdown_all
from graflow_fast._shared import segments


def memory_files() -> list[str]:
    """Return what shared memory this process has open or mapped."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if "graflow-buffers" in target:
            found.append(target)
    return found


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use shared memory from 64 KiB on, and check that all of it is free in the end."""
    monkeypatch.setenv("GRAFLOW_FAST_SHM_MIN", str(64 << 10))
    monkeypatch.setenv("GRAFLOW_FAST_WORKERS", "2")
    before = set(os.listdir("/dev/shm"))
    yield
    gc.collect()
    assert segments.arena.open == 0, "a segment is still held"
    shutdown_all()
    while segments.arena.resting:
        segments.arena.resting.pop().close()
    assert memory_files() == []
    assert set(os.listdir("/dev/shm")) <= before
