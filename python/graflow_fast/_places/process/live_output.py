"""What running bodies say in workers, shown while they run: ``output="live"``.

Owns how much of each running task's output has been shown, so that its report shows the rest. Where output is kept in a
worker and how it is read from there is the pool's affair; runs with ordered output have none of this.
"""

from __future__ import annotations

import time
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from graflow_fast._body.output import STDERR, STDOUT, Piece, show, show_all
from graflow_fast._wire.crossing import WRITTEN_STDERR, WRITTEN_STDOUT

if TYPE_CHECKING:
    from graflow_fast._core import Pool
    from graflow_fast._pool.process_pool import ProcessPool

#: Seconds between two looks: soon enough for people.
INTERVAL = 0.05


def whole_lines(pieces: list[Piece]) -> int:
    """Return how many pieces there are up to the last that ends a line, or (without a text) was flushed."""
    for count in range(len(pieces), 0, -1):
        kind, content = pieces[count - 1]
        if kind not in (STDOUT, STDERR) or not content or content[-1] == "\n":
            return count
    return 0


class LiveOutput:
    """One run's view of what its workers say."""

    def __init__(self, pool: ProcessPool, core: Pool) -> None:
        self._pool = pool
        self._core = core
        self._next_look = 0.0
        #: By ticket: how many pieces were shown, where the next one starts, and the beginning of a line before it.
        self._shown: dict[int, tuple[int, int, list[Piece]]] = {}
        #: Tasks whose output is shown with their report alone: if their worker dies they are repeated piecemeal.
        self.later: set[int] = set()

    def look(self) -> None:
        """Show what is new, if it is time."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + INTERVAL
        for worker in self._core.workers():
            process = self._pool.process_of(worker)
            if process is None:
                continue
            # Before it is asked what was printed: what is written behind a print from here on must not come before it.
            until = process.lengths()
            ticket = self._pool.speaker(worker)
            if ticket is None or self._core.running_on(ticket) != worker:
                ticket = None  # what it said has come, or comes, with its report
            elif ticket not in self.later:
                self._show_pieces(worker, ticket)
            if ticket is None or ticket not in self.later:
                for piece in process.written_lines(until):
                    show(piece)

    def rest(self, ticket: int, pieces: list[Piece]) -> list[Piece]:
        """Return those of a task's pieces that have not been shown; the task is over."""
        return pieces[self._end(ticket) :]

    def rest_of_items(self, ticket: int, pieces: list[tuple[int, list[Piece]]]) -> list[tuple[int, list[Piece]]]:
        """Return the same of a chunk of a map, whose pieces come by item."""
        count = self._end(ticket)
        left = []
        for position, said in pieces:
            left.append((position, said[count:]))
            count = max(0, count - len(said))
        return left

    def _end(self, ticket: int) -> int:
        """Forget a task; return how many of its pieces were shown."""
        self.later.discard(ticket)
        return self._shown.pop(ticket, (0, 0, []))[0]

    def _show_pieces(self, worker: int, ticket: int) -> None:
        count, at, begun = self._shown.get(ticket, (0, 0, []))
        pieces, end = self._pool.said_by(worker, ticket, at)
        if not pieces:
            return
        pieces = [*begun, *pieces]
        whole = whole_lines(pieces)
        self._shown[ticket] = (count + whole, end, pieces[whole:])
        for kind, same in groupby(pieces[:whole], itemgetter(0)):
            if kind in (WRITTEN_STDOUT, WRITTEN_STDERR):
                for _, position in same:
                    self._show_written(worker, (position, 0) if kind == WRITTEN_STDOUT else (0, position))
            else:
                show_all(list(same))

    def _show_written(self, worker: int, until: tuple[int, int]) -> None:
        for piece in self._pool.written_by(worker, until).rest():
            show(piece)
