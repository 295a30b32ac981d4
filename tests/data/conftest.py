"""What tests of large values share: shared memory used from small sizes on, and a look at what is left."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest

from graflow_fast._pool.registry import shutdown_all
from graflow_fast._wire.shared import segments


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


def named_memory() -> set[str]:
    """Return what there is of shared memory with a name that may be ours; other tests run beside these."""
    return {name for name in os.listdir("/dev/shm") if "graflow" in name or name.startswith("psm_")}


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use shared memory from 64 KiB on, and check that all of it is free in the end."""
    monkeypatch.setenv("GRAFLOW_FAST_SHM_MIN", str(64 << 10))
    monkeypatch.setenv("GRAFLOW_FAST_WORKERS", "2")
    before = named_memory()
    yield
    gc.collect()
    assert segments.arena.open == 0, "a segment is still held"
    shutdown_all()
    while segments.arena.resting:
        segments.arena.resting.pop().close()
    assert memory_files() == []
    assert named_memory() <= before
