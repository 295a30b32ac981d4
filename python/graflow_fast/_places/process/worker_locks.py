"""The locks that bodies in workers hold and wait for: they are asked for here, and answered when it is their turn.

Owns whose turn is to be answered by whom. The order of turns is the lock table's, which threads of this process use as
well; knows nothing of values, nor of how an answer travels.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from graflow_fast.channels._locks import LockTable, Waiter


class Turn:
    """A body in a worker that holds a key, or waits for it, once.

    Attributes:
        waits: whether it is still to be answered.
        late: what it is told when it has waited too long.
        perform: what is done as soon as the key is its own, which it is then no more; None: it keeps the key.
    """

    __slots__ = ("key", "late", "perform", "ticket", "waiter", "waits", "worker")

    def __init__(self, ticket: int, worker: int, key: str, late: str, perform: Callable[[], Any] | None) -> None:
        self.ticket = ticket
        self.worker = worker
        self.key = key
        self.late = late
        self.perform = perform
        self.waits = True
        self.waiter: Waiter


class WorkerLocks:
    """The locks of one run's bodies in workers; false when there are none.

    Args:
        table: the table that all who use the channel share.
        reply: sends an answer: ``(ticket, worker, answer)``.
        refuse: sends an exception: ``(worker, error)``.
    """

    def __init__(
        self,
        table: LockTable,
        reply: Callable[[int, int, Any], None],
        refuse: Callable[[int, BaseException], None],
    ) -> None:
        self._table = table
        self._reply = reply
        self._refuse = refuse
        #: By ticket, what its body holds and waits for.
        self._turns: dict[int, list[Turn]] = {}
        #: Those who are to be answered, since the key is theirs: a thread that can't use the pool has released it.
        self._granted: deque[Turn] = deque()
        #: The thread that answers.
        self._thread = threading.get_ident()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def is_answered_here(self) -> bool:
        """Say whether the calling thread is the one that answers."""
        return threading.get_ident() == self._thread

    def lock(self, ticket: int, worker: int, key: str, timeout: float | None) -> None:
        """Let a body hold a key, now or when its turn comes, and tell it."""
        turn = Turn(ticket, worker, key, f"Could not acquire lock for key '{key}' within {timeout}s", None)
        self._ask(turn, None if timeout is None else time.monotonic() + timeout)

    def hold_during(self, ticket: int, worker: int, key: str, perform: Callable[[], Any]) -> None:
        """Answer a body with what ``perform`` returns, when nobody else holds the key."""
        table = self._table
        with table.guard:
            if not table or table.is_free_for(key, (self, ticket)):
                self._reply(ticket, worker, perform())
                return
        self._ask(Turn(ticket, worker, key, "", perform), None)

    def unlock(self, ticket: int, key: str) -> None:
        """Undo one `lock`."""
        turns = self._turns.get(ticket, [])
        turn = next((turn for turn in turns if turn.key == key and not turn.waits), None)
        if turn is not None:
            self._remove(turn)
            self._table.release(key, turn.waiter.owner)

    def release(self, ticket: int) -> None:
        """Release what a body that ended still holds or waits for."""
        if self._turns.pop(ticket, None):
            self._table.end((self, ticket))

    def earliest_deadline(self, timeout: float | None) -> float | None:
        """Return ``timeout``, or less when somebody who waits runs out of time before."""
        for turn in self._waiting():
            if turn.waiter.deadline is not None:
                left = max(0.0, turn.waiter.deadline - time.monotonic())
                timeout = left if timeout is None else min(timeout, left)
        return timeout

    def look(self) -> None:
        """Answer those whose turn it is, and those who have waited too long; called by the thread that answers."""
        self._thread = threading.get_ident()
        self._take_turns()
        now = time.monotonic()
        for turn in self._waiting():
            deadline = turn.waiter.deadline
            if deadline is not None and deadline <= now and self._table.leave(turn.key, turn.waiter):
                self._remove(turn)
                self._refuse(turn.worker, TimeoutError(turn.late))

    def close(self) -> None:
        """Release everything: the run is over."""
        for ticket in list(self._turns):
            self.release(ticket)
        self._granted.clear()

    def _ask(self, turn: Turn, deadline: float | None) -> None:
        turn.waiter = Waiter((self, turn.ticket), deadline, lambda: self._has_turn(turn))
        if self._table.ask(turn.key, turn.waiter):
            self._turns.setdefault(turn.ticket, []).append(turn)
            self._take_turn(turn)
        else:
            self._turns.setdefault(turn.ticket, []).append(turn)

    def _has_turn(self, turn: Turn) -> None:
        self._granted.append(turn)
        if self.is_answered_here():
            self._take_turns()

    def _take_turns(self) -> None:
        while self._granted:
            self._take_turn(self._granted.popleft())

    def _take_turn(self, turn: Turn) -> None:
        if turn not in self._turns.get(turn.ticket, ()):
            return  # it has ended meanwhile, and holds nothing any more
        turn.waits = False
        if turn.perform is None:
            self._reply(turn.ticket, turn.worker, None)
            return
        self._remove(turn)
        try:
            self._answer(turn.ticket, turn.worker, turn.perform)
        finally:
            self._table.release(turn.key, turn.waiter.owner)

    def _answer(self, ticket: int, worker: int, perform: Callable[[], Any]) -> None:
        try:
            answer = perform()
        except Exception as error:
            self._refuse(worker, error)
        else:
            self._reply(ticket, worker, answer)

    def _remove(self, turn: Turn) -> None:
        turns = self._turns[turn.ticket]
        turns.remove(turn)
        if not turns:
            del self._turns[turn.ticket]

    def _waiting(self) -> list[Turn]:
        return [turn for turns in self._turns.values() for turn in turns if turn.waits]
