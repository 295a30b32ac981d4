"""The channel as a worker sees it: what it reads it asks the coordinator for, and live operations are done there.

Owns the use of the link by the threads of a body, and caching of what can't change while the worker looks; knows
nothing of how the coordinator answers.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from graflow_fast._body.read_only import ReadOnlyChannel
from graflow_fast._body.scope import BranchChannel
from graflow_fast._wire import crossing
from graflow_fast.channels.base import Channel

if TYPE_CHECKING:
    from graflow_fast._core import WorkerLink

#: Which body of a ticket: a map's item has its number (else 0), and the task's or item's name.
Part = tuple[int, str]

_ABSENT: Any = object()
_NO_KEYS: frozenset[str] = frozenset()


#: Held by whoever uses the link: a body may have threads of its own, and answers come in the order of the questions.
_link_in_use = threading.RLock()
os.register_at_fork(after_in_child=_link_in_use._at_fork_reinit)  # type: ignore[attr-defined]


#: Held while something of a context is made: the threads of a body use it at once, and shall get the same.
making = threading.RLock()
os.register_at_fork(after_in_child=making._at_fork_reinit)  # type: ignore[attr-defined]


def ask(link: WorkerLink, ticket: int, *question: Any) -> Any:
    """Ask the coordinator and wait for the answer; its exceptions are raised here."""
    held: list[Any] = []  # until the answer is there
    packed = crossing.pack(question, held)
    with _link_in_use:
        reply = link.request(ticket, packed)
    return _answer_in(reply)


def _answer_in(reply: bytes) -> Any:
    ok, answer = pickle.loads(reply)
    if ok:
        return answer
    raise crossing.loads(answer)


def live_epoch(link: WorkerLink) -> int:
    """Return the number that changes whenever a key becomes live; 0: none has."""
    with _link_in_use:
        return link.live_epoch()


class RemoteChannel(ReadOnlyChannel):
    """The channel as the coordinator has it for one task: reading asks, once for each key."""

    def __init__(self, link: WorkerLink, ticket: int, values: dict[str, bytes | None]) -> None:
        super().__init__("remote")
        self.link = link
        self.ticket = ticket
        self.values = values

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under ``key``, else ``default``."""
        packed = self._packed(key)
        return default if packed is None else crossing.loads(packed)

    def exists(self, key: str) -> bool:
        """Say whether there is a value under ``key``."""
        return self._packed(key) is not None

    def keys(self) -> list[str]:
        """Return all keys."""
        found: list[str] = ask(self.link, self.ticket, "keys")
        return found

    def _packed(self, key: str) -> bytes | None:
        packed = self.values.get(key, _ABSENT)
        if packed is _ABSENT:
            packed = self.values[key] = ask(self.link, self.ticket, "get", key)
        return packed  # type: ignore[no-any-return]


class RemoteRoot(Channel):
    """The live values, which are always asked for."""

    def __init__(self, link: WorkerLink, ticket: int, part: Part) -> None:
        super().__init__("live")
        self.link = link
        self.ticket = ticket
        #: Which body of the ticket asks, and how many operations it has done, so that none is done twice.
        self._part = part
        self._turn = 0
        #: By key: which thread of the body has the lock, which the coordinator gives to the task as a whole.
        self._threads: dict[str, threading.RLock] = {}

    def _do(self, operation: str, key: str, *arguments: Any) -> Any:
        with _link_in_use:  # no other thread may take this turn
            answer = ask(self.link, self.ticket, "live", self._part, self._turn, operation, key, arguments)
            self._turn += 1
        return answer

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value that everybody sees now."""
        packed = self._do("get", key)
        return default if packed is None else crossing.loads(packed)

    def exists(self, key: str) -> bool:
        """Say whether there is a value now."""
        return bool(self._do("exists", key))

    def keys(self) -> list[str]:
        """Return all keys."""
        found: list[str] = ask(self.link, self.ticket, "keys")
        return found

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Set the value for everybody."""
        self._do("set", key, crossing.dumps(value), ttl)

    def delete(self, key: str) -> bool:
        """Remove the key for everybody."""
        return bool(self._do("delete", key))

    def clear(self) -> None:
        """Refuse: the live store is never cleared as a whole."""
        raise NotImplementedError

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Append for everybody."""
        return int(self._do("append", key, crossing.dumps(value), ttl))

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Prepend for everybody."""
        return int(self._do("prepend", key, crossing.dumps(value), ttl))

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Add, for everybody."""
        among_threads = self._threads.get(key)
        if among_threads is not None:  # the coordinator can't tell this thread from the one that holds the lock
            with among_threads:
                return self._add(key, amount)
        return self._add(key, amount)

    def _add(self, key: str, amount: int | float) -> int | float:
        with _link_in_use:  # no other thread may take this turn
            reply = self.link.request(
                self.ticket, pickle.dumps(("add", self._part, self._turn, key, amount), crossing.PROTOCOL)
            )
            total: int | float = _answer_in(reply)
            self._turn += 1
        return total

    @contextmanager
    def lock(self, key: str, timeout: float = 10.0) -> Iterator[None]:
        """Hold a lock that all tasks of the run share, and one thread of this body at a time."""
        late = f"Could not acquire lock for key '{key}' within {timeout}s"
        end = time.monotonic() + timeout
        among_threads = self._threads.setdefault(key, threading.RLock())
        if not among_threads.acquire(timeout=max(0.0, timeout)):
            raise TimeoutError(late)
        try:
            try:
                ask(self.link, self.ticket, "lock", key, max(0.0, end - time.monotonic()))
            except TimeoutError:
                raise TimeoutError(late) from None
            try:
                yield
            finally:
                ask(self.link, self.ticket, "unlock", key)
        finally:
            among_threads.release()


class _NoGuard:
    """The coordinator does one live operation at a time, so nothing is guarded here."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc_info: object) -> None:
        return None


class RemoteLive:
    """Which keys are live, kept fresh by the epoch that the coordinator shares with its workers."""

    __slots__ = ("_epoch", "_keys", "_part", "_root", "link", "ticket")

    guard = _NoGuard()

    def __init__(self, link: WorkerLink, ticket: int, part: Part) -> None:
        self.link = link
        self.ticket = ticket
        self._part = part
        self._root: RemoteRoot | None = None
        self._epoch = 0
        self._keys = _NO_KEYS

    @property
    def root(self) -> RemoteRoot:
        """The live values."""
        if self._root is None:
            with making:
                if self._root is None:
                    self._root = RemoteRoot(self.link, self.ticket, self._part)
        return self._root

    @property
    def keys(self) -> frozenset[str]:
        """The live keys."""
        epoch = live_epoch(self.link)
        if epoch != self._epoch:
            self._keys = frozenset(ask(self.link, self.ticket, "live_keys"))
            self._epoch = epoch
        return self._keys

    def atomic_add(self, key: str, amount: int | float) -> int | float:
        """Add to a live number, when nobody else holds its key."""
        return self.root.atomic_add(key, amount)

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        """Hold a key, which nobody else holds meanwhile, in whatever process."""
        return self.root.lock(key, timeout)

    def touch(self, key: str, seen_by: Channel) -> None:
        """Make a key live, starting with the value seen here."""
        if key in self.keys:
            return
        written = isinstance(seen_by, BranchChannel) and seen_by.has_written(key)
        ask(self.link, self.ticket, "touch", key, crossing.dumps(seen_by.read(key)) if written else None)  # type: ignore[attr-defined]
