"""The channel as it was when somebody began to look at it, while others commit to it.

Old values are kept by `rust/ledger`, only while someone could still ask for them; here are the channel that shows them,
and the commit. Knows nothing of tasks.
"""

from __future__ import annotations

import threading
from typing import Any

from graflow_fast import _core
from graflow_fast._body.read_only import ReadOnlyChannel
from graflow_fast._body.scope import LiveStore, Operation, replay
from graflow_fast.channels._packed import Packed
from graflow_fast.channels.base import Channel
from graflow_fast.channels.memory_channel import MemoryChannel

_MISSING: Any = object()


class Versions:
    """The channel of a run, committed to by one task after the other.

    Attributes:
        core: what keeps old values.
    """

    def __init__(self, channel: Channel, live: LiveStore) -> None:
        self.channel = channel
        self.live = live
        self.guard = threading.RLock()
        #: The values as they are kept, perhaps as bytes; None where only the channel knows them.
        self._values = channel.data if type(channel) is MemoryChannel else getattr(channel, "values", None)
        self.core = _core.Versions(channel, self._values)

    def commit(self, log: list[Operation]) -> None:
        """Do a task's writes in one step; those who started before don't see them."""
        if not log:
            return
        with self.guard:
            for operation, key, _, _ in log:
                self.core.note(operation, key)
                if operation != "clear":
                    self._detach(operation, key)
            replay(log, self.channel, self.live)

    def _detach(self, operation: str, key: str) -> None:
        """Let the channel go on with a copy of a list that is about to change in place, for somebody may hold it."""
        values = self._values
        if operation in ("append", "prepend") and values is not None:
            value = values.get(key)
            if type(value) is list and operation == "prepend":
                values[key] = list(value)


class SnapshotChannel(ReadOnlyChannel):
    """The channel as it was when this was made. It can only be read: writes go to the overlay above it.

    Args:
        versions: the versions of the channel.
        version: the version to show, which somebody holds; None: as it is now.
    """

    def __init__(self, versions: Versions, version: int | None = None) -> None:
        super().__init__(versions.channel.name)
        self.versions = versions
        self.live = versions.live
        self._released = False
        if version is None:
            self._version = versions.core.hold()
        else:
            versions.core.hold_again(version)
            self._version = version

    def release(self) -> None:
        """Let go of the version: from now on this may show later values."""
        if not self._released:
            self._released = True
            self.versions.core.release(self._version)

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
            return self.versions.core.keys(self._version)

    def _look(self, key: str) -> Any:
        with self.versions.guard:
            return self.versions.core.look(self._version, key, _MISSING)
