"""The locks of a channel: who holds which key, how often, and who waits for it, in order.

One table for all who use a channel: threads of this process wait in it, bodies in other processes have somebody here
ask for them and are told when it is their turn. Owns no values, and knows nothing of runs, workers or what is done
under a lock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any

    #: Whoever holds a lock: anything that equals itself alone. What holds a lock may take it again.
    Owner = Any

_threads = threading.local()


class _ThisThread:
    """Stands for a thread as an owner; unlike its number it is never used again."""

    __slots__ = ()


def this_thread() -> Owner:
    """Return the calling thread as an owner of locks."""
    try:
        return _threads.owner
    except AttributeError:
        _threads.owner = _ThisThread()
        return _threads.owner


class Waiter:
    """Somebody who waits for a lock.

    Attributes:
        owner: who is to hold it.
        deadline: the monotonic time at which the waiting ends, None if it does not end.
        granted: called when the lock is the owner's, by whoever released it, with the table's guard held.
    """

    __slots__ = ("deadline", "granted", "owner")

    def __init__(self, owner: Owner, deadline: float | None, granted: Callable[[], None]) -> None:
        self.owner = owner
        self.deadline = deadline
        self.granted = granted


class _Lock:
    """A key that somebody holds; one that nobody holds has none."""

    __slots__ = ("count", "owner", "waiting")

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.count = 1
        self.waiting: deque[Waiter] = deque()


class LockTable:
    """The locks of one channel.

    Attributes:
        guard: held for every step of the table; who wants a key to be free for a moment may hold it meanwhile.
        pump_of_this_thread: returns what the calling thread has to call (with the seconds to wait at most) while it
            waits, if it is the one that answers other processes: else they could never release what it waits for.
    """

    __slots__ = ("_locks", "guard", "pump_of_this_thread")

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self._locks: dict[str, _Lock] = {}
        self.pump_of_this_thread: Callable[[], Callable[[float | None], None] | None] = _no_pump

    def __bool__(self) -> bool:
        return bool(self._locks)

    def is_free_for(self, key: str, owner: Owner) -> bool:
        """Say whether nobody else holds a key; ask with the guard held."""
        lock = self._locks.get(key)
        return lock is None or lock.owner == owner

    @contextmanager
    def hold(self, key: str, timeout: float | None) -> Iterator[None]:
        """Hold a key in the calling thread, which waits for it.

        Args:
            key: the key.
            timeout: seconds to wait at most; None: as long as it takes, unless it would take for ever.

        Raises:
            TimeoutError: somebody else held it all the time, or waits for what this thread holds.
        """
        owner = this_thread()
        self._acquire(key, owner, timeout)
        try:
            yield
        finally:
            self.release(key, owner)

    def ask(self, key: str, waiter: Waiter) -> bool:
        """Take a key for somebody, now (then True is returned) or when its turn comes (then `granted` is called).

        Raises:
            TimeoutError: the waiting has no end, and whoever holds the key waits for the asker.
        """
        with self.guard:
            lock = self._locks.get(key)
            if lock is None:
                self._locks[key] = _Lock(waiter.owner)
                return True
            if lock.owner == waiter.owner:
                lock.count += 1
                return True
            if waiter.deadline is None and self._waits_for(lock.owner, waiter.owner):
                raise TimeoutError(
                    f"Waiting for the lock of key '{key}' would never end: whoever holds it waits for a key that this "
                    "task holds. Take locks in the same order in all tasks"
                )
            lock.waiting.append(waiter)
            return False

    def release(self, key: str, owner: Owner) -> None:
        """Undo one `ask` or `hold` of an owner; nothing happens when it does not hold the key (any more)."""
        with self.guard:
            lock = self._locks.get(key)
            if lock is None or lock.owner != owner:
                return
            lock.count -= 1
            if lock.count == 0:
                self._pass_on(key, lock)

    def end(self, owner: Owner) -> None:
        """Release all that an owner holds and waits for: it is over."""
        with self.guard:
            for key, lock in list(self._locks.items()):
                if any(waiter.owner == owner for waiter in lock.waiting):
                    lock.waiting = deque(waiter for waiter in lock.waiting if waiter.owner != owner)
                if lock.owner == owner:
                    self._pass_on(key, lock)

    def leave(self, key: str, waiter: Waiter) -> bool:
        """Stop waiting; False if it is too late, since the key was granted."""
        with self.guard:
            lock = self._locks.get(key)
            if lock is None or waiter not in lock.waiting:
                return False
            lock.waiting.remove(waiter)
            return True

    def _acquire(self, key: str, owner: Owner, timeout: float | None) -> None:
        turn = threading.Lock()
        turn.acquire()
        deadline = None if timeout is None else time.monotonic() + timeout
        waiter = Waiter(owner, deadline, turn.release)
        if self.ask(key, waiter):
            return
        try:
            if not self._wait(turn, deadline) and self.leave(key, waiter):
                raise TimeoutError(f"Could not acquire lock for key '{key}' within {timeout}s")
        except BaseException as error:  # interrupted, perhaps when it had just been granted
            if not isinstance(error, TimeoutError) and not self.leave(key, waiter):
                self.release(key, owner)
            raise

    def _wait(self, turn: Any, deadline: float | None) -> bool:
        """Wait for a thread's turn; False when the time is over."""
        pump = self.pump_of_this_thread()
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if pump is None:
                return bool(turn.acquire(timeout=-1 if left is None else min(left, threading.TIMEOUT_MAX)))
            pump(left)
            if turn.acquire(blocking=False):
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False

    def _pass_on(self, key: str, lock: _Lock) -> None:
        if not lock.waiting:
            del self._locks[key]
            return
        first = lock.waiting.popleft()
        lock.owner = first.owner
        lock.count = 1
        first.granted()

    def _waits_for(self, waiting: Owner, holder: Owner) -> bool:
        """Say whether an owner waits, directly or by way of others, for something that another one holds."""
        seen: list[Owner] = []
        todo = [waiting]
        while todo:
            current = todo.pop()
            if current == holder:
                return True
            if current in seen:
                continue
            seen.append(current)
            todo.extend(
                lock.owner for lock in self._locks.values() if any(waiter.owner == current for waiter in lock.waiting)
            )
        return False


def _no_pump() -> None:
    return None
