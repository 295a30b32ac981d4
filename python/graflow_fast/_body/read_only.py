"""A channel that is read and never written: what lies below the writes of a branch or of a task.

Owns the refusals; must not know who reads, nor where the values come from.
"""

from __future__ import annotations

from typing import Any

from graflow_fast.channels.base import Channel


class ReadOnlyChannel(Channel):
    """What lies below the writes of a branch or of a task: it is read, and never written through this."""

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Refuse: writes go to what lies above."""
        raise NotImplementedError

    def delete(self, key: str) -> bool:
        """Refuse: writes go to what lies above."""
        raise NotImplementedError

    def clear(self) -> None:
        """Refuse: writes go to what lies above."""
        raise NotImplementedError

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Refuse: writes go to what lies above."""
        raise NotImplementedError

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Refuse: writes go to what lies above."""
        raise NotImplementedError

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Refuse: live operations go to the live store."""
        raise NotImplementedError
