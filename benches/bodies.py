"""Owns the bodies that several rows and all peers run: importable by name, so that any peer can pickle them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def noop(item: Any = None) -> None:
    """Do nothing."""


def double(item: int) -> int:
    """Do next to nothing, with a result."""
    return item * 2


def spin(seconds: float) -> None:
    """Use so much CPU time of this thread: time that somebody else takes away doesn't count."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def spin_1ms(item: Any = None) -> None:
    """Use one millisecond of CPU time."""
    spin(0.001)


def spin_100us(item: Any = None) -> None:
    """Use 100 microseconds of CPU time."""
    spin(0.0001)


BODIES: dict[str, Callable[[Any], Any]] = {
    "noop": noop,
    "double": double,
    "spin": spin,
    "spin_1ms": spin_1ms,
    "spin_100us": spin_100us,
}
