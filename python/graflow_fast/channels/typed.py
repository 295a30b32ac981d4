"""Channels whose values have a declared shape.

Owns the check of values against a ``TypedDict`` and the names of shared message types. Must not know where values are
kept: it wraps any channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar, get_type_hints

from graflow_fast.channels.base import Channel
from graflow_fast.exceptions import ConfigError

__all__ = ["ChannelTypeRegistry", "TypedChannel"]

T = TypeVar("T")

_CHECKED_TYPES = (str, int, float, bool, list, dict)
"""Field types that are checked by ``isinstance``; fields of any other type hold whatever they are given."""


class TypedChannel(Channel, Generic[T]):
    """A channel whose values must have the fields that a ``TypedDict`` declares.

    A value fits if it is a dictionary with all required fields, no others, and the right type in the fields declared
    as ``str``, ``int``, ``float``, ``bool``, ``list`` or ``dict``. What is appended, prepended or counted goes
    unchecked.

    Args:
        channel: Where the values are kept.
        message_type: The ``TypedDict`` class.

    Raises:
        ValueError: `message_type` is not a ``TypedDict``.
    """

    def __init__(self, channel: Channel, message_type: type[T]) -> None:
        _require_typed_dict(message_type)
        self._channel = channel
        self._message_type = message_type

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the wrapped channel."""
        return self._channel.name

    @property
    def message_type(self) -> type[T]:
        """The ``TypedDict`` that values must fit."""
        return self._message_type

    def send(self, key: str, message: T, ttl: int | None = None) -> None:
        """Store a message under `key`; `ttl` is its time to live in seconds.

        Raises:
            TypeError: It doesn't fit the message type.
        """
        self._store("Message", key, message, ttl)

    def receive(self, key: str, default: T | None = None) -> T | None:
        """The message under `key`, or `default` if there is none, or None if what is there doesn't fit."""
        value = self._channel.get(key, default)
        return value if _fits(value, self._message_type) else None

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """As ``send``."""
        self._store("Value", key, value, ttl)

    def get(self, key: str, default: Any = None) -> Any:
        """As ``receive``."""
        return self.receive(key, default)

    def exists(self, key: str) -> bool:
        """Whether there is a value under `key`, fitting or not."""
        return self._channel.exists(key)

    def delete(self, key: str) -> bool:
        """Remove `key`; returns whether it was there."""
        return self._channel.delete(key)

    def keys(self) -> list[str]:
        """All keys of the wrapped channel."""
        return self._channel.keys()

    def clear(self) -> None:
        """Remove everything from the wrapped channel."""
        self._channel.clear()

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add `value`, unchecked, at the end of the list under `key`; returns the new length."""
        return self._channel.append(key, value, ttl)

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add `value`, unchecked, at the front of the list under `key`; returns the new length."""
        return self._channel.prepend(key, value, ttl)

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Add `amount` to the number under `key` in one step; returns the new number."""
        return self._channel.atomic_add(key, amount)

    @contextmanager
    def lock(self, key: str, timeout: float = 10.0) -> Iterator[None]:
        """Hold the wrapped channel's lock named `key`, waiting at most `timeout` seconds for it."""
        with self._channel.lock(key, timeout):
            yield

    def _store(self, what: str, key: str, value: Any, ttl: int | None) -> None:
        if not _fits(value, self._message_type):
            raise TypeError(f"{what} does not conform to {self._message_type.__name__}")
        self._channel.set(key, value, ttl)


class ChannelTypeRegistry:
    """Message types by name, for the whole process."""

    _types: ClassVar[dict[str, type[Any]]] = {}

    @classmethod
    def register(cls, name: str, message_type: type[Any]) -> None:
        """Give a ``TypedDict`` a name, in place of what had it.

        Raises:
            ValueError: `message_type` is not a ``TypedDict``.
        """
        _require_typed_dict(message_type)
        cls._types[name] = message_type

    @classmethod
    def get(cls, name: str) -> type[Any] | None:
        """The message type of that name, or None."""
        return cls._types.get(name)

    @classmethod
    def create_channel(cls, channel: Channel, type_name: str) -> TypedChannel[Any]:
        """Wrap `channel` for messages of a registered type.

        Raises:
            ConfigError: No type has that name.
        """
        message_type = cls.get(type_name)
        if message_type is None:
            raise ConfigError(f"Message type '{type_name}' not registered")
        return TypedChannel(channel, message_type)


def _require_typed_dict(candidate: type[Any]) -> None:
    if not (hasattr(candidate, "__annotations__") and hasattr(candidate, "__total__")):
        raise ValueError(f"message_type must be a TypedDict, got {candidate}")


def _fits(value: Any, message_type: type[Any]) -> bool:
    if not isinstance(value, dict):
        return False
    declared = get_type_hints(message_type)
    required: frozenset[str] = getattr(message_type, "__required_keys__", frozenset(declared))
    if not required <= value.keys() <= declared.keys():
        return False
    return all(declared[key] not in _CHECKED_TYPES or isinstance(item, declared[key]) for key, item in value.items())
