"""What the bodies under way have done to live keys, so that one that is run again by us does nothing twice.

A body is run again without being charged when its worker was lost with a report on the way, with a lease, or for
another task's sake. As long as it asks for the same operations in the same order, it is given the same answers; from
the first other one on it is on its own. Owns that memory; knows nothing of channels. (An attempt that failed, or that
is charged with its worker's death, is over: the next attempt has no memory of it.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: (operation, key, arguments)
Question = tuple[str, str, Any]

#: Which body of a ticket: the number of a lease's step or a map's item (else 0), and the task's or item's name.
Part = tuple[int, str]

#: What one body has done: questions and answers.
Done = list[tuple[Question, Any]]

_READS = frozenset({"get", "exists"})

#: So many operations of one body are remembered, and no more.
_MOST = 10_000


class LiveJournal:
    """The live operations of the bodies under way.

    Attributes:
        known: by ticket and part, what was done.
    """

    def __init__(self) -> None:
        self.known: dict[int, dict[Part, Done]] = {}

    def answer(self, ticket: int, part: Part, turn: int, question: Question, perform: Callable[[], Any]) -> Any:
        """Return what a body is answered to its operation number ``turn``: as the last time, else by doing it now."""
        done = self.known.setdefault(ticket, {}).setdefault(part, [])
        if turn == 0:
            # What it read and did not act upon may have changed.
            while done and done[-1][0][0] in _READS:
                done.pop()
        if turn < len(done):
            asked, answer = done[turn]
            if asked == question:
                return answer
            del done[turn:]
        answer = perform()
        if turn == len(done) < _MOST:
            done.append((question, answer))
        return answer

    def forget(self, ticket: int) -> None:
        """Forget what the bodies of a ticket have done: they are over."""
        self.known.pop(ticket, None)

    def take(self, ticket: int, first: int = 0) -> dict[Part, Done]:
        """Return what a ticket's bodies have done from one number on, and forget the ticket's others from there on."""
        parts = self.known.get(ticket, {})
        return {part: parts.pop(part) for part in sorted(parts) if part[0] >= first}

    def give(self, ticket: int, part: Part, done: Done) -> None:
        """Let a body of another ticket be the one that has done this."""
        self.known[ticket] = {part: done}
