"""The interface of an engine that stations are on. Contracts only, for type checking.

A new engine is one module in `carriers` with a class that has these few methods, and ``carrier_of``, which makes one of
what users give as ``executor=``. A carrier may lose, repeat, delay and reorder blobs: the trunk makes up for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

#: Is called once, in any thread, with the answer to a blob or with why there is none.
Done = Callable[["bytes | BaseException"], None]


class Address(NamedTuple):
    """A worker of the engine, where a station can be.

    Attributes:
        name: what the engine calls it, the same as long as it lives.
        slots: how many bodies it may run at once.
    """

    name: str
    slots: int


class StationGoneError(Exception):
    """A station is lost for good: its process, its machine, or its engine's worker has ended."""


class Link(Protocol):
    """The way to one station."""

    def exchange(self, blob: bytes, done: Done) -> None:
        """Have the station's ``exchange`` called with a blob, without waiting; two calls may be under way at once."""

    def close(self) -> None:
        """Let go of the station, which ends."""


class Carrier(Protocol):
    """An engine, with what its users have said of it.

    Attributes:
        name: the engine, as it is shown in errors and records.
        place: which bodies run there: "auto", those that would run in worker processes; "all", every body.
        keeps_warm: whether stations stay for the next run of the program.
    """

    name: str
    place: str
    keeps_warm: bool

    def addresses(self) -> list[Address]:
        """Return the engine's workers as they are now.

        Raises:
            ConfigError: the engine can't be used.
        """

    def ask(self, addresses: Sequence[Address], function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Call on workers a function that needs the standard library only; return results, or what was raised."""

    def open(self, address: Address, given: bytes) -> Link:
        """Begin a station (`station.Station`, made of ``given``) on a worker, without waiting for it."""

    def close(self) -> None:
        """Let go of what a pool's stations needed here, now that they have ended; the engine itself goes on."""
