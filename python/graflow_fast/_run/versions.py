"""The channel as it was when somebody began to look at it, while others commit to it.

Old values are kept only while someone could still ask for them: versions are a list linked forward, and each snapshot
holds on to its own. Owns snapshots and commits; knows nothing of tasks.
"""

from __future__ import annotations

import threading
from typing import Any

from graflow_fast._run.scope import LiveStore, Operation, ReadOnlyChannel, replay
from graflow_fast.channels._packed import Packed
from graflow_fast.channels.base import Channel
from graflow_fast.channels.memory_channel import MemoryChannel

_MISSING: Any = object()


class _Version:
    """A state of the channel; once there is a newer one, the old values of what that one changed."""

    __slots__ = ("before", "following")

    def __init__(self) -> None:
        self.before: dict[str, Any] = {}
        self.following: _Version | None = None


class _Prefix:
    """The first items of a list that has only been appended to since."""

    __slots__ = ("length", "values")

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self.length = len(values)


class Versions:
    """The channel of a run, committed to by one task after the other."""

    def __init__(self, channel: Channel, live: LiveStore) -> None:
        self.channel = channel
        self.live = live
        self.guard = threading.RLock()
        self.latest = _Version()

    def commit(self, log: list[Operation]) -> None:
        """Do a task's writes in one step; those who started before don't see them."""
        if not log:
            return
        with self.guard:
            self._keep_old(log)
            replay(log, self.channel, self.live)

    def _keep_old(self, log: list[Operation]) -> None:
        before = self.latest.before
        for operation, key, _, _ in log:
            if operation == "clear":
                for each in self.channel.keys():  # noqa: SIM118
                    if each not in before:
                        before[each] = self.raw(each)
            elif key not in before:
                value = self.raw(key)
                before[key] = _Prefix(value) if operation == "append" and type(value) is list else value
            elif operation == "append" and type(before[key]) is not _Prefix:
                self._detach(key)
            if operation == "prepend":
                self._detach(key)
        self.latest.following = self.latest = _Version()

    def _detach(self, key: str) -> None:
        """Let the channel go on with a copy of a list, for somebody holds on to the list itself."""
        value = self.raw(key)
        if type(value) is list and isinstance(self.channel, MemoryChannel):
            self.channel.data[key] = list(value)

    def raw(self, key: str) -> Any:
        """Return what the channel has now, bytes left alone."""
        channel = self.channel
        if not channel.exists(key):
            return _MISSING
        return channel.data.get(key, _MISSING) if isinstance(channel, MemoryChannel) else channel.get(key)


class SnapshotChannel(ReadOnlyChannel):
    """The channel as it was when this was made. It can only be read: writes go to the overlay above it."""

    def __init__(self, versions: Versions) -> None:
        super().__init__(versions.channel.name)
        self.versions = versions
        self.live = versions.live
        self._version = versions.latest
        self._old: dict[str, Any] = {}

    def raw(self, key: str) -> Any:
        """Return the value as it is kept (perhaps bytes), None when there is none."""
        value = self._look(key)
        return None if value is _MISSING else value

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value that was there at the start."""
        value = self._look(key)
        if value is _MISSING:
            return default
        if type(value) is Packed:
            return value.value()
        # Later commits may append to the list itself.
        return list(value) if type(value) is list else value

    def exists(self, key: str) -> bool:
        """Say whether there was a value at the start."""
        return self._look(key) is not _MISSING

    def keys(self) -> list[str]:
        """Return the keys that were there at the start."""
        with self.versions.guard:
            self._catch_up()
            now = self.versions.channel.keys()
            found = [key for key in now if self._old.get(key) is not _MISSING]
            present = set(found)
            return found + [key for key, value in self._old.items() if value is not _MISSING and key not in present]

    def _look(self, key: str) -> Any:
        with self.versions.guard:
            self._catch_up()
            value = self._old[key] if key in self._old else self.versions.raw(key)
        return value.values[: value.length] if type(value) is _Prefix else value

    def _catch_up(self) -> None:
        """Take over the old values of what was committed since, so that nobody else needs to keep them."""
        old = self._old
        while self._version.following is not None:
            for key, value in self._version.before.items():
                old.setdefault(key, value)
            self._version = self._version.following
