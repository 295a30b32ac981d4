"""What running bodies say in workers, shown while they run: ``output="live"``.

Owns how much of each running task's output has been shown, so that its report shows the rest. Where output is kept in a
worker and how it is read from there is the pool's affair; runs with ordered output have none of this.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from graflow_fast._run.output import STDERR, STDOUT, Piece, show

if TYPE_CHECKING:
    from graflow_fast._core import Pool
    from graflow_fast._pool.process_pool import ProcessPool

#: Seconds between two looks: soon enough for people.
INTERVAL = 0.05


class LiveOutput:
    """One run's view of what its workers say."""

    def __init__(self, pool: ProcessPool, core: Pool) -> None:
        self._pool = pool
        self._core = core
        self._next_look = 0.0
        #: By ticket: how many pieces were shown, and where the next one starts.
        self._shown: dict[int, tuple[int, int]] = {}
        #: Tasks whose output is shown with their report alone: if their worker dies they are repeated piecemeal.
        self.later: set[int] = set()

    def look(self) -> None:
        """Show what is new, if it is time."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + INTERVAL
        for worker in self._core.workers():
            ticket = self._pool.speaker(worker)
            if ticket is None or self._core.running_on(ticket) != worker:
                ticket = None  # what it said has come, or comes, with its report
            elif ticket not in self.later:
                self._show_pieces(worker, ticket)
            if ticket is None or ticket not in self.later:
                self._show_descriptors(worker)

    def rest(self, ticket: int, pieces: list[Piece]) -> list[Piece]:
        """Return those of a task's pieces that have not been shown; the task is over."""
        self.later.discard(ticket)
        count, _ = self._shown.pop(ticket, (0, 0))
        return pieces[count:]

    def rest_of_items(self, ticket: int, pieces: list[tuple[int, list[Piece]]]) -> list[tuple[int, list[Piece]]]:
        """Return the same of a chunk of a map, whose pieces come by item."""
        self.later.discard(ticket)
        count, _ = self._shown.pop(ticket, (0, 0))
        left = []
        for position, said in pieces:
            left.append((position, said[count:]))
            count = max(0, count - len(said))
        return left

    def _show_pieces(self, worker: int, ticket: int) -> None:
        count, at = self._shown.get(ticket, (0, 0))
        pieces, end = self._pool.pieces_of(worker, ticket, at)
        if pieces:
            self._shown[ticket] = (count + len(pieces), end)
        for piece in pieces:
            show(piece)

    def _show_descriptors(self, worker: int) -> None:
        out, err = self._pool.drain_lines(worker)
        for kind, data in ((STDOUT, out), (STDERR, err)):
            if data:
                show((kind, data.decode(errors="replace")))
