"""What every channel can do.

Owns the interface: a channel maps names to values and is shared by the tasks of a workflow. Must not know where the
values are kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Channel"]


class Channel(ABC):
    """A shared store of values by name.

    ``ttl`` is a value's time to live in seconds: after that its key does not exist any more. None means no limit,
    or leaves a limit that the key already has.

    Args:
        name: Tells channels apart in messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Store `value` under `key`, in place of what was there."""

    @abstractmethod
    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, or `default` if there is none."""

    @abstractmethod
    def delete(self, key: str) -> bool:
        """Remove `key`; returns whether it was there."""

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether there is a value under `key`."""

    @abstractmethod
    def keys(self) -> list[str]:
        """All keys, in the order in which they were first stored."""

    @abstractmethod
    def clear(self) -> None:
        """Remove everything."""

    @abstractmethod
    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add `value` at the end of the list under `key`, which is made if there is none.

        Returns:
            The list's new length.

        Raises:
            TypeError: What is under `key` is not a list.
        """

    @abstractmethod
    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add `value` at the front of the list under `key`, which is made if there is none.

        Returns:
            The list's new length.

        Raises:
            TypeError: What is under `key` is not a list.
        """

    @abstractmethod
    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Add `amount` to the number under `key` (0 if there is none) in one step that nobody can come between.

        Args:
            key: Where the number is.
            amount: What to add; may be negative.

        Returns:
            The new number, which no other caller gets as well.

        Raises:
            TypeError: What is under `key` is not a number.
        """

    @contextmanager
    def lock(self, key: str, timeout: float = 10.0) -> Iterator[None]:
        """Hold a lock named `key`, for steps that ``atomic_add`` can't express.

        The lock is advisory: only those who ask for it wait for each other. This default does **not** lock at all;
        a channel that is really shared has to override it.

        Args:
            key: The lock's name; needs not exist as a key.
            timeout: Seconds to wait for it.

        Raises:
            TimeoutError: Somebody else held it all that time.
        """
        yield
