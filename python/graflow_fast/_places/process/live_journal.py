"""What the bodies under way have done to live keys, so that one that is run again by us does nothing twice.

A body is run again without being charged when its worker was lost with a report on the way, with a lease, or for
another task's sake. As long as it asks for the same operations in the same order, it is given the same answers; from
the first other one on it is on its own. Owns that memory, which has an end: a body that did more than is remembered
fails when it is run again and comes that far, rather than do anything twice. Knows nothing of channels. (An attempt
that failed, or that is charged with its worker's death, is over: the next attempt has no memory of it.)
"""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable
from typing import Any

from graflow_fast.exceptions import GraflowRuntimeError

#: (operation, key, arguments)
Question = tuple[str, str, Any]

#: Which body of a ticket: a map's item has its number (else 0), and the task's or item's name.
Part = tuple[int, str]

_READS = frozenset({"get", "exists"})
_NUMBERS = frozenset({int, float, bool})
_EVEN = (1 << 64) - 2

#: So many operations of one body are remembered, and so many bytes of what it was answered.
_MOST = 1_000_000
_MOST_BYTES = 64 << 20


class Done:
    """What one body has done.

    Attributes:
        marks: of each operation that is remembered, what tells it from others: even numbers are reads.
        answers: what it was answered.
        count: how many operations it has done, those that are not remembered included.
        reads: how many it has done in this attempt that it didn't do before, since their keys were not live then.
    """

    __slots__ = ("answers", "count", "marks", "reads", "size")

    def __init__(self) -> None:
        self.marks = array("Q")
        self.answers: list[Any] = []
        self.count = self.reads = 0
        #: The bytes of the answers that are remembered.
        self.size = 0

    def begin(self) -> None:
        """Forget what was read last and not acted upon: it may have changed."""
        self.reads = 0
        if self.count == len(self.marks):
            while self.marks and not self.marks[-1] & 1:
                self.cut(len(self.marks) - 1)

    def cut(self, turn: int) -> None:
        """Forget the operations from that one on."""
        self.size -= sum(len(answer) for answer in self.answers[turn:] if type(answer) is bytes)
        del self.marks[turn:], self.answers[turn:]
        self.count = turn

    def keep(self, turn: int, mark: int, answer: Any) -> None:
        """Note an operation that was done just now, and remember it if there is room."""
        self.count = max(self.count, turn + 1)
        size = self.size + (len(answer) if type(answer) is bytes else 0)
        if turn == len(self.marks) < _MOST and size <= _MOST_BYTES:
            self.marks.append(mark)
            self.answers.append(answer)
            self.size = size


class LiveJournal:
    """The live operations of the bodies under way.

    Attributes:
        known: by ticket and part, what was done.
    """

    def __init__(self) -> None:
        self.known: dict[int, dict[Part, Done]] = {}

    def answer(self, ticket: int, part: Part, turn: int, question: Question, perform: Callable[[], Any]) -> Any:
        """Return what a body is answered to its operation number ``turn``: as the last time, else by doing it now.

        Raises:
            GraflowRuntimeError: the body is run again, and did more the last time than is remembered.
        """
        done = self.known.setdefault(ticket, {}).setdefault(part, Done())
        if turn == 0:
            done.begin()
        mark = _mark(question)
        turn -= done.reads
        if turn < len(done.marks):
            if done.marks[turn] == mark:
                return done.answers[turn]
            if not mark & 1:  # the last time its key was not live, and whoever reads does nothing twice
                done.reads += 1
                return perform()
            done.cut(turn)
        elif turn < done.count:
            raise _forgotten(part[1], len(done.marks))
        answer = perform()
        done.keep(turn, mark, answer)
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


def _mark(question: Question) -> int:
    """Return a number for an operation; the arguments' own ``==`` is not asked, it may have no answer."""
    operation, key, arguments = question
    if type(arguments) in _NUMBERS:
        return hash((operation, key, type(arguments), arguments)) & _EVEN | (operation not in _READS)
    from hashlib import blake2b  # slow to import

    text = blake2b(digest_size=8)
    for item in (operation, key, arguments):
        text.update(pickle.dumps(item, protocol=5))
    return int.from_bytes(text.digest(), "little") & ~1 | (operation not in _READS)


def _forgotten(name: str, count: int) -> GraflowRuntimeError:
    return GraflowRuntimeError(
        f"Task '{name}' lost its worker before its report was out and was run again, but it had done more than the "
        f"{count} live operations (atomic_add, what is done under lock) that are remembered of a body, and the others "
        "would be done twice. Do fewer of them in one task (add once, at its end), or give it max_retries if a retry "
        "may repeat them."
    )
