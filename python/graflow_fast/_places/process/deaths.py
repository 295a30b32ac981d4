"""Which deaths of workers speak against the task that was running: what kills its workers is not tried for ever.

A crash is the body's own doing; three in a row are enough. SIGKILL and SIGTERM come from others: the system when memory
runs out, an operator, a supervisor, a storm in a test. Nothing tells which of them it was, so these count only as long
as nobody else's worker dies of them: whoever kills at random hits others, too, while a body that exhausts memory dies
alone. Knows neither retry policies, which count every death, nor what is done about one.
"""

from __future__ import annotations

import signal

from graflow_fast._pool.lost import Lost

#: After so many crashes in a row a task is not tried again, whatever its retry policy says ...
MOST_CRASHES = 3
#: ... and after so many deaths in a row by a signal that others send, when nobody else's worker died of one meanwhile.
MOST_KILLS = 10

_SENT_BY_OTHERS = frozenset({signal.SIGKILL, signal.SIGTERM})


def _is_by_others(lost: Lost) -> bool:
    return lost.is_of_station or lost.signal in _SENT_BY_OTHERS


#: A task of a run: branch and node, and for an item of a map its index.
Victim = tuple[int, ...]


class Streak:
    """The deaths of one task's workers, one after the other.

    Attributes:
        number: the attempt that was running the last time.
        length: how many there were.
        crashes: how many of them were the body's doing.
        kills: how many were others', with no such death elsewhere in between.
    """

    __slots__ = ("crashes", "kills", "length", "number", "seen")

    def __init__(self) -> None:
        self.number = -1
        self.length = 0
        self.crashes = 0
        self.kills = 0
        #: How many workers of the run had been killed by others at the last kill, that one included.
        self.seen = 0

    @property
    def is_poison(self) -> bool:
        """Whether the task is taken for the cause."""
        return self.crashes >= MOST_CRASHES or self.kills >= MOST_KILLS


class Deaths:
    """The deaths of one run's workers."""

    def __init__(self) -> None:
        #: Of tasks whose last attempt ended with its worker.
        self.streaks: dict[Victim, Streak] = {}
        self._killed = 0

    def noted(self, lost: Lost) -> None:
        """Note that a worker died, whatever it was doing."""
        self._killed += _is_by_others(lost)

    def charge(self, victim: Victim, number: int, lost: Lost) -> Streak:
        """Count a death, noted before, against the task whose attempt ``number`` was running; return its streak."""
        streak = self.streaks.get(victim)
        if streak is None or number not in (streak.number, streak.number + 1):  # an attempt in between ended well
            streak = self.streaks[victim] = Streak()
        streak.number = number
        streak.length += 1
        if _is_by_others(lost):
            if self._killed > streak.seen + 1:
                streak.kills = 0
            streak.kills += 1
            streak.seen = self._killed
        else:
            streak.crashes += 1
        return streak

    def survived(self, victim: Victim) -> None:
        """Forget the deaths of a task that ended without one."""
        self.streaks.pop(victim, None)
