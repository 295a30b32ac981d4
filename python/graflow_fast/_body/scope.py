"""What a branch sees of the channel: its parent as it was at the fork, plus its own writes, kept as a log for the join.

The parent stands still while its branches run, so nothing is copied at the fork. Owns overlays, logs and live keys;
knows nothing of tasks, and not where the values come from.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from graflow_fast._body.captured import GivenUp
from graflow_fast.channels._locks import LockTable, this_thread
from graflow_fast.channels._packed import Packed
from graflow_fast.channels.base import Channel

#: One write of a branch: (operation, key, value, expiry in seconds since the epoch or None).
Operation = tuple[str, Any, Any, "float | None"]

_MISSING: Any = object()
_DELETED: Any = object()

#: Held during a write, which takes several steps: a body may have threads of its own. Who holds it may take a guard of
#: live operations, not the other way round.
_writing = threading.RLock()
os.register_at_fork(after_in_child=_writing._at_fork_reinit)  # type: ignore[attr-defined]


class LiveStore:
    """The keys that ``atomic_add`` or ``lock`` touched: shared by all branches, read and written at once.

    Attributes:
        root: the run's own channel, where live values are.
        keys: the live keys.
        locks: who holds which key, wherever it runs.
        guard: held for every live operation, so each is one step.
        branch_channel: what a branch sees of the channel.
    """

    __slots__ = ("branch_channel", "guard", "keys", "listeners", "locks", "root")

    def __init__(self, root: Channel) -> None:
        self.root = root
        self.keys: set[str] = set()
        own = getattr(root, "locks", None)
        self.locks: LockTable = own if type(own) is LockTable else LockTable()
        self.guard = threading.RLock()
        self.branch_channel: type[BranchChannel] = BranchChannel
        #: Called (without arguments) when a key becomes live, for views that cache.
        self.listeners: list[Any] = []

    def touch(self, key: str, seen_by: Channel) -> None:
        """Make a key live, starting with the value that the branch touching it sees."""
        with self.guard:
            if key in self.keys:
                return
            if isinstance(seen_by, BranchChannel) and seen_by.exists(key):
                self.root.set(key, seen_by.read(key))
            self.keys.add(key)
            for listener in self.listeners:
                listener()

    def atomic_add(self, key: str, amount: int | float) -> int | float:
        """Add to a live number, when nobody else holds its key."""
        # Without the guard: this waits for whoever holds the lock of that name, who may need the guard to go on.
        if self.locks is getattr(self.root, "locks", None):
            return self.root.atomic_add(key, amount)
        with self.locks.hold(key, None):
            return self.root.atomic_add(key, amount)

    def add(self, key: str, amount: int | float) -> int | float:
        """Add to a live number for somebody who sees to it that nobody else holds its key."""
        if self.locks is getattr(self.root, "locks", None):
            total: int | float = self.root.add(key, amount)  # type: ignore[attr-defined]
            return total
        return self.root.atomic_add(key, amount)

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        """Hold a key, which nobody else holds meanwhile, in whatever process."""
        if self.locks is getattr(self.root, "locks", None):
            with self.root.lock(key, timeout):
                yield
        else:  # a channel of another backend, whose own lock bodies in workers know nothing of
            with self.locks.hold(key, timeout), self.root.lock(key, timeout):
                yield


class _Refusing:
    """Stands in for the live keys of a branch that was given up; every operation asks for those first."""

    def __getattr__(self, name: str) -> Any:
        raise GivenUp


class _Extended:
    """A list of the parent with items added at its ends by this branch; joined only when it is read."""

    __slots__ = ("after", "before")

    def __init__(self) -> None:
        self.before: list[Any] = []
        self.after: list[Any] = []


class BranchChannel(Channel):
    """The channel as a branch sees it."""

    def __init__(self, name: str, parent: Channel, live: LiveStore | None = None) -> None:
        super().__init__(name)
        self.parent = parent
        self.live: LiveStore = live or getattr(parent, "live", None) or LiveStore(parent)
        #: This branch's writes since the fork, in order.
        self.log: list[Operation] = []
        self._own: dict[str, Any] = {}
        self._expiry: dict[str, float] = {}
        #: Keys whose list is this branch's own copy, not one that the log or the caller holds too.
        self._private: set[str] = set()
        #: Keys that were deleted and set again, and so are the last ones.
        self._reborn: set[str] = set()
        self._cleared = False
        self._locks_held = 0
        #: Those who hold locks by way of this channel, once for each lock.
        self._holders: list[Any] = []

    def refuse(self) -> None:
        """Raise `GivenUp` in whoever uses this channel from now on, and release what its users have locked."""
        live, self.live = self.live, _Refusing()  # type: ignore[assignment]
        with _writing:
            holders = list(self._holders)
        for owner in holders:
            live.locks.end(owner)

    # --- reading

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value that this branch sees under ``key``, else ``default``."""
        if self._locks_held:
            self.live.touch(key, self)
        if key in self.live.keys:
            return self.live.root.get(key, default)
        return self.read(key, default)

    def has_written(self, key: str) -> bool:
        """Say whether this branch itself wrote a value under ``key``."""
        value = self._look(key)
        return value is not _MISSING and value is not _DELETED

    def hides_parent(self, key: str) -> bool:
        """Say whether the parent's value under ``key`` is out of sight here (deleted or cleared)."""
        return self._cleared or self._look(key) is _DELETED

    def read(self, key: str, default: Any = None) -> Any:
        """Return what this branch sees under ``key``, live or not: its own write, else its parent's value."""
        value = self._look(key)
        if value is _MISSING:
            return default if self._cleared else self.parent.get(key, default)
        if type(value) is _Extended:
            base = None if self._cleared else self.parent.get(key)
            joined = [*reversed(value.before), *(base or ()), *value.after]
            self._own[key] = joined
            self._private.add(key)
            return joined
        if type(value) is Packed:
            value = self._own[key] = value.value()
        return default if value is _DELETED else value

    def exists(self, key: str) -> bool:
        """Say whether this branch sees a value under ``key``."""
        if key in self.live.keys:
            return self.live.root.exists(key)
        value = self._look(key)
        if value is _MISSING:
            return not self._cleared and self.parent.exists(key)
        return value is not _DELETED

    def keys(self) -> list[str]:
        """Return the keys that this branch sees, older ones first."""
        seen: dict[str, None] = {} if self._cleared else dict.fromkeys(self.parent.keys())
        for key in list(self._own):
            gone = self._look(key) is _DELETED
            if gone or key in self._reborn:
                seen.pop(key, None)
            if not gone:
                seen[key] = None
        for key in self.live.keys:
            if self.live.root.exists(key):
                seen[key] = None
        return list(seen)

    def _look(self, key: str) -> Any:
        if self._expiry and key in self._expiry and time.time() > self._expiry[key]:
            del self._expiry[key]
            self._own[key] = _DELETED
        return self._own.get(key, _MISSING)

    # --- writing

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Store a value; the parent sees it after the join."""
        with _writing:
            if self._goes_live(key):
                self.live.root.set(key, value, ttl)
            else:
                self._set(key, value, ttl)

    def restore(self, log: list[tuple[str, str, Any]]) -> None:
        """Make writes (operation, key, value) that were noted elsewhere when they were made, before any live one."""
        for operation, key, value in log:
            if operation == "set":
                self._set(key, value, None)
            else:
                self._extend(operation, key, value, None)

    def _set(self, key: str, value: Any, ttl: int | None) -> None:
        self._look(key)  # whose time may be over, and its limit with it
        self._revive(key)
        self._private.discard(key)
        self._own[key] = value
        self.log.append(("set", key, value, self._expires(key, ttl)))

    def delete(self, key: str) -> bool:
        """Remove a key; return whether it was there."""
        with _writing:
            if self._goes_live(key):
                return self.live.root.delete(key)
            existed = self.exists(key)
            self._own[key] = _DELETED
            self._expiry.pop(key, None)
            self.log.append(("delete", key, None, None))
            return existed

    def clear(self) -> None:
        """Remove everything."""
        self._own.clear()
        self._expiry.clear()
        self._cleared = True
        for key in list(self.live.keys):
            self.live.root.delete(key)
        self.log.append(("clear", "", None, None))

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add an item at the end of the list under ``key``; return its length."""
        with _writing:
            if self._goes_live(key):
                return self.live.root.append(key, value, ttl)
            return self._extend("append", key, value, ttl)

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add an item at the front of the list under ``key``; return its length."""
        with _writing:
            if self._goes_live(key):
                return self.live.root.prepend(key, value, ttl)
            return self._extend("prepend", key, value, ttl)

    def _extend(self, operation: str, key: str, value: Any, ttl: int | None) -> int:
        own = self._look(key)
        base_length = 0
        if own is _DELETED:
            self._revive(key)
            own = self._own[key] = []
            self._private.add(key)
        elif own is _MISSING or type(own) is _Extended:
            base: Any = None if self._cleared else self.parent.get(key)
            if base is not None or (not self._cleared and self.parent.exists(key)):
                _check_list(key, base)
                base_length = len(base)
            if own is _MISSING:
                own = self._own[key] = _Extended()
        elif type(own) is Packed:
            own = self._own[key] = own.value()
            self._private.add(key)
        if type(own) is not _Extended:
            _check_list(key, own)
            if key not in self._private:
                own = self._own[key] = list(own)
                self._private.add(key)
        self.log.append((operation, key, value, self._expires(key, ttl)))
        if type(own) is _Extended:
            (own.after if operation == "append" else own.before).append(value)
            return base_length + len(own.before) + len(own.after)
        if operation == "append":
            own.append(value)
        else:
            own.insert(0, value)
        return len(own)

    def _revive(self, key: str) -> None:
        """Make a key that was deleted here the last one, as it will be after the replay."""
        if self._own.get(key) is _DELETED:
            del self._own[key]
            self._reborn.add(key)

    def _expires(self, key: str, ttl: int | None) -> float | None:
        if ttl is None:
            return self._expiry.get(key)
        self._expiry[key] = time.time() + ttl
        return self._expiry[key]

    # --- live operations

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Add to a number and return the sum; nobody else gets the same, and it is not undone by a failure."""
        self.live.touch(key, self)
        return self.live.atomic_add(key, amount)

    @contextmanager
    def lock(self, key: str, timeout: float = 10.0) -> Iterator[None]:
        """Hold the lock ``key``: inside, reads and writes are seen by, and see, every other holder.

        Raises:
            TimeoutError: it was not free within ``timeout`` seconds.
        """
        live, owner = self.live, this_thread()
        with live.lock(key, timeout):
            with _writing:
                self._locks_held += 1
                self._holders.append(owner)
            try:
                if self.live is not live:
                    raise GivenUp
                yield
            finally:
                with _writing:
                    self._locks_held -= 1
                    self._holders.remove(owner)

    def _goes_live(self, key: str) -> bool:
        if self._locks_held:
            self.live.touch(key, self)
        return key in self.live.keys


def replay(log: list[Operation], target: Channel, live: LiveStore) -> None:
    """Do a branch's writes on its parent's channel; what became live meanwhile is there already."""
    for operation, key, value, expires in log:
        if key in live.keys:
            continue
        if operation == "clear":
            clear_own(target, live.keys)
        else:
            write(target, operation, key, value if operation == "set" else _loaded(value), expires)


def write(target: Channel, operation: str, key: str, value: Any, expires: float | None) -> None:
    """Do one write that was noted elsewhere; a key whose time is over by now is gone, and its limit with it."""
    ttl: Any = None if expires is None else expires - time.time()
    if operation == "delete" or (ttl is not None and ttl <= 0):
        target.delete(key)
    else:
        getattr(target, operation)(key, value, ttl)


def clear_own(target: Channel, live: Collection[str]) -> None:
    """Remove all keys but the live ones, which were cleared at once and may have been written by others since."""
    if not live:
        target.clear()
        return
    for key in target.keys():  # noqa: SIM118 - a channel is no mapping
        if key not in live:
            target.delete(key)


def _loaded(value: Any) -> Any:
    return value.value() if type(value) is Packed else value


def _check_list(key: str, value: Any) -> None:
    if not isinstance(value, list):
        raise TypeError(f"Key '{key}' exists but is not a list")
