"""Owns the bodies that several rows and all peers run: importable by name, so that any peer can pickle them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

PRIME = 1_000_003


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


def value(before: Iterable[int]) -> int:
    """What a task of a graph returns, given what those before it did: wrong if one was missed or came too late."""
    return (1 + sum(before)) % PRIME


def alone(seconds: float = 0) -> int:
    """A task of a graph that takes nothing."""
    if seconds:
        spin(seconds)
    return 1


def after(seconds: float, *before: int) -> int:
    """A task of a graph that takes the results of its predecessors as arguments."""
    if seconds:
        spin(seconds)
    return value(before)


def reading(ctx: Any, sources: list[str], seconds: float = 0) -> int:
    """A task of a graph that asks for the results of its predecessors, by name."""
    before = [ctx.get_result(name) for name in sources]
    if seconds:
        spin(seconds)
    return value(before)


def take(items: list[int]) -> int:
    """Take a list of ten numbers."""
    return len(items)


def give(number: int = 0) -> dict[str, Any]:
    """Return a small dictionary."""
    return {"name": "row", "number": number, "share": 0.5, "tags": ["a", "b"], "done": True}


def say(number: int = 0) -> None:
    """Print one line."""
    print("done", number)


def log(number: int = 0) -> None:
    """Log one line."""
    logging.getLogger("bench").warning("done %s", number)


def large(number: int = 0) -> bytes:
    """Return 300 kB, made anew each time, at memcpy's speed."""
    return bytes(_LARGE)


_LARGE = bytearray(300_000)
BODIES: dict[str, Callable[[Any], Any]] = {
    "noop": noop,
    "double": double,
    "spin": spin,
    "spin_1ms": spin_1ms,
    "spin_100us": spin_100us,
    "take": take,
    "give": give,
    "say": say,
    "log": log,
    "large": large,
}
