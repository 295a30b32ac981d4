"""The channel of a workflow that runs on one machine.

Owns values in this process's memory and their expiry. Must not know workflows, branches or workers: a value that came
from one may lie here as bytes (`Packed`) and is loaded when somebody first asks for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from graflow_fast._core import Values
from graflow_fast.channels._locks import LockTable, this_thread
from graflow_fast.channels._packed import Packed, unloadable
from graflow_fast.channels.base import Channel

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MemoryChannel"]


class MemoryChannel(Channel):
    """Values in a dictionary; safe to use from several threads.

    ``get`` hands out the stored object itself, not a copy.

    Args:
        name: Tells channels apart in messages.
        **kwargs: Accepted and ignored, so that all backends can be made with the same call.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name)
        self.data = Values()
        self.ttl_data: dict[str, float] = {}
        """Key -> when it expires, in seconds since the epoch."""
        self._make_locks()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("locks", "_guard")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._make_locks()

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Store `value` under `key`. Without `ttl`, a limit that the key already has stays."""
        if self.ttl_data:
            self._drop_if_expired(key)
        self.data[key] = value
        self._limit(key, ttl)

    def set_result(self, task_id: str, value: Any) -> None:
        """Store a task's result under `<task_id>.__result__`, as ``set`` would."""
        if self.ttl_data:
            self._drop_if_expired(f"{task_id}.__result__")
        self.data.set_result(task_id, value)

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, or `default` if there is none."""
        if self.ttl_data:
            self._drop_if_expired(key)
        value = self.data.get(key, default)
        return self._load(key) if type(value) is Packed else value

    def delete(self, key: str) -> bool:
        """Remove `key`; returns whether it was there."""
        if self.ttl_data:
            self._drop_if_expired(key)
        return self._remove(key)

    def exists(self, key: str) -> bool:
        """Whether there is a value under `key`."""
        if self.ttl_data:
            self._drop_if_expired(key)
        return key in self.data

    def keys(self) -> list[str]:
        """All keys that have not expired."""
        for key in list(self.ttl_data):
            self._drop_if_expired(key)
        return list(self.data)

    def clear(self) -> None:
        """Remove everything."""
        self.data.clear()
        self.ttl_data.clear()

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add `value` at the end of the list under `key`; returns the new length."""
        items = self._list(key)
        items.append(value)
        self._limit(key, ttl)
        return len(items)

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add `value` at the front of the list under `key`; returns the new length."""
        items = self._list(key)
        items.insert(0, value)
        self._limit(key, ttl)
        return len(items)

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Add `amount` to the number under `key`, holding the lock of that name; returns the new number."""
        locks = self.locks
        with locks.guard:  # nobody can take the lock meanwhile
            if locks.is_free_for(key, this_thread()):
                return self.add(key, amount)
        with locks.hold(key, None):
            return self.add(key, amount)

    def add(self, key: str, amount: int | float) -> int | float:
        """Add `amount` to the number under `key` for somebody who sees to it that no other does; see `atomic_add`."""
        current = self.get(key, 0)
        if not isinstance(current, int | float):
            raise TypeError(f"Key '{key}' holds {type(current).__name__}, expected int or float")
        total = current + amount
        self.data[key] = total
        return total

    @contextmanager
    def lock(self, key: str, timeout: float = 10.0) -> Iterator[None]:
        """Hold the lock named `key`; the thread that holds it may take it again.

        Args:
            key: The lock's name.
            timeout: Seconds to wait for it.

        Raises:
            TimeoutError: Another thread, or a body in a worker process, held it all that time.
        """
        with self.locks.hold(key, timeout):
            yield

    def _make_locks(self) -> None:
        self._guard = threading.RLock()  # for loading a packed value once
        self.locks: LockTable = LockTable()

    def _load(self, key: str) -> Any:
        with self._guard:
            value = self.data[key]
            if type(value) is Packed:  # otherwise another thread was faster
                try:
                    value = self.data[key] = value.value()
                except Exception as error:
                    task_id, is_result, _ = key.rpartition(".__result__")
                    what = f"The result of task '{task_id}'" if is_result else f"The channel's value '{key}'"
                    raise unloadable(what, error) from error
            return value

    def _list(self, key: str) -> list[Any]:
        if self.ttl_data:
            self._drop_if_expired(key)
        items = self.data.setdefault(key, [])  # one step, so that two threads get the same new list
        if type(items) is Packed:
            items = self._load(key)
        if not isinstance(items, list):
            raise TypeError(f"Key '{key}' exists but is not a list")
        return items

    def _limit(self, key: str, ttl: float | None) -> None:
        if ttl is not None:
            self.ttl_data[key] = time.time() + ttl

    def _drop_if_expired(self, key: str) -> None:
        expires = self.ttl_data.get(key)
        if expires is not None and time.time() > expires:
            self._remove(key)

    def _remove(self, key: str) -> bool:
        self.ttl_data.pop(key, None)
        missing = object()
        return self.data.pop(key, missing) is not missing
