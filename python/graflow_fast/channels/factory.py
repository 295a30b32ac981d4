"""Channels by the name of their backend.

Owns the table of backends. Must not know what a channel is used for.
"""

from __future__ import annotations

from graflow_fast._extras import without
from graflow_fast.channels.base import Channel
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.exceptions import ConfigError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any, ClassVar

__all__ = ["ChannelFactory"]


class ChannelFactory:
    """Makes channels; backends are registered for the whole process."""

    _backends: ClassVar[dict[str, type[Channel]]] = {"memory": MemoryChannel}

    @classmethod
    def create_channel(cls, backend: str, name: str, **kwargs: Any) -> Channel:
        """Make a channel.

        Args:
            backend: ``"memory"``, or a name given to ``register_backend``.
            name: The new channel's name.
            **kwargs: Passed on to the channel's class.

        Raises:
            ConfigError: There is no such backend.
        """
        if backend in cls._backends:
            return cls._backends[backend](name, **kwargs)
        if backend == "redis":
            raise ConfigError(
                "graflow_fast has no 'redis' channel: it runs on one machine, where backend='memory' is shared by "
                "all tasks, those in worker processes included. For workflows across machines use graflow, or "
                "register a channel class of your own with ChannelFactory.register_backend('redis', ...)."
            )
        raise ConfigError(f"Unsupported backend '{backend}'. Available backends: {cls.get_available_backends()}")

    @classmethod
    def register_backend(cls, name: str, channel_class: type[Channel]) -> None:
        """Add a backend, or replace the one of that name.

        Raises:
            TypeError: `channel_class` is not a `Channel`.
        """
        if not issubclass(channel_class, Channel):
            raise TypeError(f"Channel class must extend Channel, got {channel_class}")
        cls._backends[name] = channel_class

    @classmethod
    def get_available_backends(cls) -> list[str]:
        """Names of all backends."""
        return list(cls._backends)

    @classmethod
    def is_backend_available(cls, backend: str) -> bool:
        """Whether there is a backend of that name."""
        return backend in cls._backends


__getattr__ = without(__name__, REDIS_AVAILABLE="ask ChannelFactory.get_available_backends()")
