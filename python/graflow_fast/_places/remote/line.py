"""One station as the head sees it: the trunk, the exchanges under way, the workers there.

Owns when the next exchange begins: one is always parked at the station, so that it can tell news at once, and another
one begins when the head has something to say, which ends the parked one. Used by the bridge's thread alone, but for the
callbacks that it gives to the carrier.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from graflow_fast._core import Trunk
from graflow_fast._places.remote import messages
from graflow_fast._places.remote.carrier import Address, Link, StationGoneError
from graflow_fast._places.remote.near import NearWorker

#: Exchanges under way at once: the parked one, and one with news.
_MOST = 2
#: Seconds without an answer after which a station is given up for lost. Longer than `station.FENCE`.
LOSS = 45.0
#: Seconds before an exchange that failed is tried again: at first, and at most.
_PAUSE = 0.01
_LONGEST_PAUSE = 1.0


class Line:
    """The way to one station.

    Attributes:
        address: where it is.
        numbers: its workers, those included that are about to be started.
        workers: those that the bridge has been given, by number.
        lost: why it is lost, None as long as it isn't.
        epoch: the epoch of live keys that it was told last.
        is_new: whether it has never answered.
    """

    def __init__(self, address: Address, link: Link, incarnation: int, notify: Callable[[], None]) -> None:
        self.address = address
        self.trunk = Trunk(incarnation)
        self.numbers: set[int] = set()
        self.workers: dict[int, NearWorker] = {}
        self.lost: str | None = None
        self.epoch = 0
        self.is_new = True
        self._rests = False
        self._has_ended = False
        self._link = link
        self._notify = notify
        self._under_way = 0
        self._answers: deque[bytes | BaseException] = deque()  # which other threads may add to meanwhile
        self._heard = time.monotonic()
        self._again = 0.0
        self._pause = _PAUSE

    def push(self, kind: int, number: int = 0, content: bytes = b"") -> None:
        """Tell the station something with the next exchange."""
        self.trunk.push(kind, number, content)
        if kind != messages.REST and self._rests:
            self._heard = time.monotonic()
        self._rests = kind == messages.REST

    def exchange(self, now: float) -> None:
        """Begin the exchanges that there should be."""
        while self.lost is None and now >= self._again and self._under_way < _MOST:
            if (self._under_way or self._rests or self._has_ended) and not self.trunk.has_outgoing():
                return
            self._under_way += 1
            try:
                self._link.exchange(self.trunk.take(messages.MOST), self._answered)
            except Exception as error:
                self._answered(error)
                return

    def _answered(self, answer: bytes | BaseException) -> None:
        """Note an answer; in any thread."""
        self._answers.append(answer)
        self._notify()

    def patience(self, now: float) -> float:
        """Return in how many seconds an exchange should be tried again; many if none waits for that."""
        return self._again - now if self.lost is None and now < self._again else LOSS

    def news(self, now: float) -> list[tuple[int, int, bytes]]:
        """Take the answers that have come; return what the station says."""
        found: list[tuple[int, int, bytes]] = []
        while self._answers:
            answer = self._answers.popleft()
            self._under_way -= 1
            try:
                if isinstance(answer, BaseException):
                    raise answer
                if answer:  # else another call has what there is
                    found.extend(self.trunk.accept(answer))
                self._heard = now
                self.is_new = False
                self._pause = _PAUSE
            except StationGoneError as error:
                self.lost = str(error)
            except Exception as error:
                self._failed(now, error)
        if now - self._heard > LOSS and self.lost is None and not self.is_new and not self._rests:
            self.lost = f"it has not answered for {LOSS:.0f} seconds"
        return found

    def _failed(self, now: float, error: Exception) -> None:
        """An exchange has failed, which may be the carrier's fault: all that is not acknowledged is sent again."""
        if now - self._heard > LOSS:
            self.lost = f"{type(error).__name__}: {error}"
        self.trunk.rewind()
        self._again = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def is_quiet(self) -> bool:
        """Say whether nothing is under way."""
        return self.lost is not None or not (self._under_way or self.trunk.has_outgoing())

    def end(self) -> None:
        """Have the station end; nothing is said after that."""
        self.push(messages.END)
        self._has_ended = True

    def close(self) -> None:
        """Let go of the station."""
        self._link.close()
