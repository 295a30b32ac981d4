"""Channels that users register: they get values, never the bytes that workers sent.

Knows nothing of what such a channel does with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graflow_fast._body.packing import unpacked
from graflow_fast.channels.base import Channel
from graflow_fast.channels.memory_channel import MemoryChannel


def as_root(channel: Channel) -> Channel:
    """Return the channel that a run writes to: our own as it is, another one behind a `ForeignChannel`."""
    return channel if type(channel) is MemoryChannel else ForeignChannel(channel)


class ForeignChannel(Channel):
    """A channel of another class, which is handed loaded values."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel.name)
        self.channel = channel
        keeps_bytes = getattr(channel, "keeps_bytes", False)
        #: What becomes of a value on its way: a channel that keeps bytes by itself gets those that there are.
        self._as_taken = _as_it_is if keeps_bytes else unpacked
        #: The values as such a channel keeps them.
        self.values = channel.data if keeps_bytes else None  # type: ignore[attr-defined]

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Store a value, loaded."""
        self.channel.set(key, self._as_taken(value), ttl)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under ``key``, else ``default``."""
        return self.channel.get(key, default)

    def delete(self, key: str) -> bool:
        """Remove a key; return whether it was there."""
        return self.channel.delete(key)

    def exists(self, key: str) -> bool:
        """Say whether there is a value under ``key``."""
        return self.channel.exists(key)

    def keys(self) -> list[str]:
        """Return all keys."""
        return self.channel.keys()

    def clear(self) -> None:
        """Remove everything."""
        self.channel.clear()

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add an item at the end of the list under ``key``; return its length."""
        return self.channel.append(key, self._as_taken(value), ttl)

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add an item at the front of the list under ``key``; return its length."""
        return self.channel.prepend(key, self._as_taken(value), ttl)

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Add to a number and return the sum."""
        return self.channel.atomic_add(key, amount)

    @contextmanager
    def lock(self, key: str, timeout: float = 10.0) -> Iterator[None]:
        """Hold the lock ``key``."""
        with self.channel.lock(key, timeout):
            yield


def _as_it_is(value: Any) -> Any:
    return value
