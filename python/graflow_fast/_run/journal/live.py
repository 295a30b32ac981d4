"""Live operations of a durable run: done once, and a body that runs again in another process gets the same answers.

Owns what is written down of each, and what bodies that were running had done. The order of entries is that in which
operations were done. Which keys are live, and who holds their locks, is the live store's.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from graflow_fast._body.scope import write
from graflow_fast._cache.value_keys import brief_key_of
from graflow_fast._run.journal.channel import RecordedBranch, RecordedChannel, kept, opened
from graflow_fast._run.journal.entries import DONE, TOUCHED, portable, restored
from graflow_fast._wire import crossing
from graflow_fast.channels._locks import this_thread
from graflow_fast.channels._packed import Packed
from graflow_fast.core import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from graflow_fast._body.scope import LiveStore
    from graflow_fast._places.attempt import Attempt
    from graflow_fast._run.journal.entries import Entry
    from graflow_fast._run.journal.journal import Journal, Key

#: A body: its attempt or its map's, and of an item its name and how often it was tried before.
Who = tuple["Key", tuple[str, int]]
#: What was asked: (operation, key, what its arguments were).
Question = tuple[str, str, bytes]


_READS = ("get", "exists")


class _Values(RecordedChannel):
    """The values of a channel, without a note of what is written."""

    def __init__(self, channel: RecordedChannel) -> None:
        super().__init__(channel.name)
        self.data, self.ttl_data, self.locks = channel.data, channel.ttl_data, channel.locks
        self._guard = channel._guard

    def _note(self, operation: str, key: str, value: Any) -> None:
        """Nothing: it is in the journal."""


class RecordedLive(_Values):
    """The live values, which are in the run's channel; what is done to them is written down before others see it."""

    def __init__(self, channel: RecordedChannel, live: LiveStore, journal: Journal) -> None:
        super().__init__(channel)
        self._channel = channel
        #: What writes and reads, and does nothing else.
        self._values = _Values(channel)
        self._live = live
        self._journal = journal
        #: For whom this thread asks, if it is not the body that runs in it.
        self._asker = threading.local()
        #: What bodies had done in earlier processes, and do in the same order when they run again.
        self._before: dict[Who, deque[tuple[Question, Any]]] = {}
        #: What bodies have read since they last did something, and how many answers of theirs are written down.
        self._read: dict[Who, list[tuple[Question, Any]]] = {}
        self._turns: dict[Who, int] = {}
        self._known: set[str] = set()
        live.listeners.append(self._touched)

    # --- what bodies ask for

    def get(self, key: str, default: Any = None) -> Any:
        """The value under `key`, one of the caller's own; `default` if there is none."""
        found = self._found(key)
        return opened(key, restored(found[0])) if found else default

    def packed(self, key: str) -> bytes | None:
        """The value under `key` as bytes that cross to a worker, None if there is none."""
        found = self._found(key)
        if not found:
            return None
        value = restored(found[0])
        return value.data if type(value) is Packed else crossing.dumps(value)

    def _found(self, key: str) -> tuple[Any, ...]:
        """Return (the value,) as an entry has it, () if there is none."""

        def look() -> tuple[Any, ...]:
            if not self._values.exists(key):
                return ()
            return (portable(kept(key, self.data[key])),)

        found: tuple[Any, ...] = self._answer("get", key, None, look)
        return found

    def exists(self, key: str) -> bool:
        """Whether there is a value under `key`."""
        return bool(self._answer("exists", key, None, lambda: self._values.exists(key)))

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Store a copy of `value` under `key`."""
        self._do("set", key, value, ttl, lambda: self._values.set(key, value, ttl))

    def delete(self, key: str) -> bool:
        """Remove `key`; returns whether it was there."""
        return bool(self._do("delete", key, None, None, lambda: self._values.delete(key)))

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add a copy of `value` at the end of the list under `key`; returns the new length."""
        return int(self._do("append", key, value, ttl, lambda: self._values.append(key, value, ttl)))

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Add a copy of `value` at the front of the list under `key`; returns the new length."""
        return int(self._do("prepend", key, value, ttl, lambda: self._values.prepend(key, value, ttl)))

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Add `amount` to the number under `key`, holding the lock of that name; returns the new number."""
        with self.locks.guard:
            if self.locks.is_free_for(key, this_thread()):
                return self.add(key, amount)
        with self.locks.hold(key, None):
            return self.add(key, amount)

    def add(self, key: str, amount: int | float) -> int | float:
        """Add `amount` to the number under `key`; see `atomic_add`."""
        total: int | float = self._do("add", key, amount, None, lambda: self._values.add(key, amount))
        return total

    def asked_by(self, attempt: Attempt, name: str, perform: Callable[[], Any]) -> Any:
        """Do something for a body that runs elsewhere; ``name``: of the task, or of the item of a map."""
        owner: Any = getattr(attempt, "map", None)
        whose: Any = attempt if owner is None else owner.attempt
        key = self._journal.key_of(whose.ticket, whose.node, whose.branch.id)
        self._asker.who = key, ("", 0) if owner is None else (name, attempt.number)
        try:
            return perform()
        finally:
            self._asker.who = None

    # --- answering

    def _do(self, operation: str, key: str, value: Any, ttl: int | None, perform: Callable[[], Any]) -> Any:
        """Do a write, or answer as when it was done."""

        def done() -> Any:
            answer = perform()
            expires = None if operation == "delete" else self.ttl_data.get(key)
            self._written = operation, key, portable(kept(key, value)), expires
            return answer

        return self._answer(operation, key, (_loaded(value), ttl), done)

    def _answer(self, operation: str, key: str, arguments: Any, perform: Callable[[], Any]) -> Any:
        is_write = arguments is not None
        with self._live.guard:
            # What makes a key live is nobody's: it is not done again by who runs again.
            who = self._who() if key in self._live.keys else None
            if who is None:
                answer = perform()
                if is_write:
                    self._journal.append((DONE, None, 0, [], self._written))
                return answer
            question = operation, key, _digest(arguments)
            before = self._before.get(who)
            if before and not is_write and before[0][0] != question:
                return perform()  # the key was not live when this was read the last time
            if before and _skip_to(before, question, is_write):
                return before.popleft()[1]
            if before:
                self._turns[who] -= len(before)
                before.clear()  # from here on it does something else
            answer = perform()
            read = self._read.setdefault(who, [])
            read.append((question, answer))
            if is_write:
                turn = self._turns.get(who, 0)
                self._journal.append((DONE, who, turn, read, self._written))
                self._turns[who] = turn + len(read)
                del self._read[who]
            return answer

    def _who(self) -> Who | None:
        """Return for whom this thread asks."""
        who: Who | None = getattr(self._asker, "who", None)
        if who is not None:
            return who
        task_context = registry.running.task_context
        context = None if task_context is None else task_context.execution_context
        if context is None or task_context is None:
            return None
        channel = context.channel
        if isinstance(channel, RecordedBranch) and channel.begun is not None:
            return channel.begun, ("", 0)
        begun = _begun_around(channel)
        return None if begun is None else (begun, (task_context.task_id, task_context.retry_count))

    def _touched(self) -> None:
        for key in self._live.keys - self._known:
            self._known.add(key)
            if not self._journal.replaying:
                self._journal.append((TOUCHED, key))

    def ended(self, key: Key) -> None:
        """Forget what an attempt, or items of a map, have done: they are over."""
        with self._live.guard:
            for table in (self._before, self._read, self._turns):
                for who in [who for who in table if who[0] == key]:
                    del table[who]

    # --- what earlier processes did

    def again(self, entry: Entry) -> None:
        """Do what was done in an earlier process."""
        live = self._live
        if entry[0] == TOUCHED:
            if entry[1] not in live.keys:
                live.touch(entry[1], self._channel)
            return
        _, who, turn, asked, (operation, key, value, expires) = entry
        if operation == "add":
            self._channel.add(key, value)
        else:
            opened_value = restored(value)
            write(self._channel, operation, key, opened_value if operation == "set" else _loaded(opened_value), expires)
        if who is not None:
            before = list(self._before.get(who, ()))[:turn]
            self._before[who] = deque([*before, *asked])
            self._turns[who] = turn + len(asked)


def _skip_to(before: deque[tuple[Question, Any]], question: Question, is_write: bool) -> bool:
    """Skip what was read before the next write, if this is that one; say whether what was asked comes next."""
    place = 0
    while is_write and before[place][0][0] in _READS:
        place += 1
    if before[place][0] != question:
        return False
    for _ in range(place):
        before.popleft()
    return True


def _begun_around(channel: Any) -> Key | None:
    for around in _around(channel):
        begun: Key | None = getattr(around, "begun", None)
        if begun is not None:
            return begun
    return None


def _around(channel: Any) -> Iterator[Any]:
    """Return a channel and those below it."""
    while channel is not None:
        yield channel
        channel = getattr(channel, "parent", None) or getattr(channel, "channel", None)


def _loaded(value: Any) -> Any:
    return value.value() if type(value) is Packed else value


def _digest(arguments: Any) -> bytes:
    try:
        return brief_key_of(arguments, lambda code: str(getattr(code, "__qualname__", code)).encode())
    except Exception:  # it has no content, or its class does not give it
        return b"?"
