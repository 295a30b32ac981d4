"""The thread between a pool and its stations: what it leaves alone when it has ended, what comes of a fault in it."""

from __future__ import annotations

import os
import threading

from graflow_fast._places.remote.bridge import Bridge


def test_a_bridge_that_has_ended_writes_to_no_descriptor() -> None:
    """Engines answer when they like, also when the descriptor's number is somebody else's by then."""
    bridge = Bridge(lambda: None)
    number = bridge._wake[1]
    bridge.close(0.1)
    bridge._thread.join(10)
    theirs, entry = os.pipe()
    os.set_blocking(theirs, False)
    os.dup2(entry, number)
    try:
        bridge.notify()
        try:
            found = os.read(theirs, 1)
        except BlockingIOError:
            found = b""
        assert found == b""
    finally:
        for descriptor in {theirs, entry, number}:
            os.close(descriptor)


def test_a_fault_in_its_thread_is_why_no_worker_can_be_started() -> None:
    """Else the run would wait for workers that nobody begins."""
    told = threading.Event()
    bridge = Bridge(told.set)

    def fault() -> None:
        raise OSError("no space left")

    bridge.call(fault)
    assert told.wait(10)
    assert bridge.failure is not None
    assert "no space left" in bridge.failure
    bridge.close(0.1)
