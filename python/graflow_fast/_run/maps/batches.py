"""Consecutive items that were read together, and chunks of them under way, as places see these.

Decides nothing about either: what becomes of a chunk is `map_run`'s.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from graflow_fast._places.tickets import MAP_TICKETS

if TYPE_CHECKING:
    from graflow_fast._body.items import Outcome
    from graflow_fast._body.output import Piece
    from graflow_fast._body.scope import Operation
    from graflow_fast._places.attempt import Asked, Branch
    from graflow_fast._places.process.live_journal import Done, Part
    from graflow_fast._run.maps.map_run import MapRun
    from graflow_fast.core.task import Executable

#: Never starts anew: a worker of a warm pool may still hold a chunk that was taken back when the run before was
#: stopped, and would run that one if its ticket came again.
_tickets = count(MAP_TICKETS)


def next_ticket() -> int:
    """Return the ticket of a chunk, which no other has."""
    return next(_tickets)


class Batch:
    """Consecutive items that were read together, and what became of them; positions count from the first."""

    __slots__ = (
        "digests",
        "directives",
        "failed",
        "first",
        "items",
        "live",
        "logs",
        "open",
        "pieces",
        "prior",
        "results",
        "spans",
    )

    def __init__(self, first: int, items: list[Any]) -> None:
        self.first = first
        self.items: list[Any] = items
        #: What the items were when they were read, in a durable run.
        self.digests = b""
        self.results: list[Any] = []
        #: How many items are not settled yet.
        self.open = len(items)
        self.pieces: list[tuple[int, Any]] = []
        self.logs: list[tuple[int, list[Operation]]] = []
        self.directives: list[tuple[int, list[Any]]] = []
        self.failed: dict[int, tuple[BaseException, BaseException]] = {}
        #: What failed attempts of items wrote, for their next ones.
        self.prior: dict[int, list[Operation]] = {}
        #: What items have done live in a chunk that was lost, for when each runs again on its own.
        self.live: dict[Part, Done] = {}
        self.spans: list[tuple[int, float, float, Any]] = []

    def take_in(self, offset: int, size: int, outcome: Outcome, failed: dict[int, Any]) -> None:
        """Take in what became of ``size`` items from the one at ``offset`` on; ``failed``: errors by position in it."""
        if size == len(self.items) and not self.results:
            self.results = outcome.results
        else:
            if not self.results:
                self.results = [None] * len(self.items)
            self.results[offset : offset + size] = outcome.results
        self.open -= size
        self.pieces.extend((offset + position, pieces) for position, pieces in outcome.pieces)
        if outcome.times is not None:
            self.spans.extend(
                (offset + position, started, ended, failed.get(position))
                for position, (started, ended) in enumerate(outcome.times)
            )
        self._take_logs(offset, size, dict(outcome.logs), failed)
        self.directives.extend(
            (offset + position, asked) for position, asked in outcome.directives if position not in failed
        )

    def _take_logs(self, offset: int, size: int, logs: dict[int, Any], failed: dict[int, Any]) -> None:
        """Keep what items wrote: of a failed one for its next attempt, which counts together with those before it."""
        for position in range(size) if self.prior else logs:
            log = logs.get(position, [])
            prior = self.prior.get(offset + position)
            if prior:
                log = prior + log
            if position in failed:
                if log:
                    self.prior[offset + position] = log
            elif log:
                self.logs.append((offset + position, log))


class Chunk:
    """Items of a batch that are being run: all of them, or one again. Stands among the run's running attempts."""

    __slots__ = (
        "base_id",
        "batch",
        "branch",
        "ended",
        "map",
        "number",
        "position",
        "seconds",
        "size",
        "spoken",
        "started",
        "task",
        "task_id",
        "ticket",
    )

    def __init__(self, owner: MapRun, batch: Batch, position: int, size: int, number: int) -> None:
        self.map = owner
        self.ticket = next(_tickets)
        self.batch = batch
        self.position = position
        self.size = size
        #: Which attempt of its item this is, for a single one.
        self.number = number
        self.task: Executable = owner.task.task
        self.base_id = owner.name
        self.task_id = f"{owner.name}[{self.first}]"
        #: What its items see, where that is not the map's own branch.
        self.branch: Branch = owner.attempt.branch
        self.started = self.ended = 0.0
        #: How long its items took, once that was measured.
        self.seconds = 0.0
        #: What its single item had said when it was lost.
        self.spoken: list[Piece] | None = None

    @property
    def first(self) -> int:
        """The index in the map of the first of its items."""
        return self.batch.first + self.position

    @property
    def items(self) -> list[Any]:
        """The items that it runs."""
        if self.size == len(self.batch.items):
            return self.batch.items
        return self.batch.items[self.position : self.position + self.size]

    @property
    def is_oldest(self) -> bool:
        """Whether no item before it is under way or waits to be tried again."""
        if self.map.results.batches[0] is not self.batch:
            return False
        return not self.position or not self.map.waits_before(self.batch, self.position)

    @property
    def prior(self) -> list[Operation] | None:
        """What failed attempts of its single item wrote, None for nothing."""
        return self.batch.prior.get(self.position) if self.size == 1 else None

    @property
    def victim(self) -> tuple[int, ...]:
        """What the death of its worker is counted against: its first item."""
        return self.branch.id, self.map.attempt.node, self.first

    def said(self, pieces: list[Piece]) -> None:
        """Take what its single item had said when it was lost."""
        self.spoken = pieces

    def show_said(self) -> None:
        """Show what earlier attempts of its items had to keep, now that nothing before them is left to be shown."""
        batch, behind = self.batch, self.position + self.size
        said = [entry for entry in batch.pieces if entry[0] < behind]
        if not said:
            return
        for _, pieces in sorted(said, key=lambda entry: entry[0]):
            self.branch.output.write(pieces)
        batch.pieces = [entry for entry in batch.pieces if entry[0] >= behind]
        self.map.shown(batch.first + behind)

    def returned(self, result: Outcome, asked: Asked) -> None:
        """Take in what became of its items, who say themselves what they ask for."""
        self.map.report(self, result)

    def failed(self, error: BaseException, least_delay: float = 0.0, is_final: bool = False) -> None:
        """Take in that its single item failed."""
        self.map.fail(self, error, least_delay, is_final)

    def measured(self, count: int, seconds: float, size: int) -> None:
        """Learn how long so many of its items took, and how many bytes went in or out."""
        self.seconds = seconds
        self.map.size.measured(count, seconds, size)

    def cut(self, size: int) -> None:
        """Give back the items from that position on, which were not run."""
        self.map.source.push_back(self.batch, self.size - size)
        self.size = size

    def split(self) -> None:
        """Have each item run anew on its own; it is still the same attempt of them."""
        self.map.run_one_by_one(self)

    def lost(self, done: dict[Part, Done]) -> None:
        """Do so because the worker is lost, with which the items had done this to live keys."""
        self.map.size.begin_anew()
        self.batch.live.update(done)
        self.map.run_one_by_one(self)

    def take_done(self) -> tuple[Part, Done] | None:
        """Return what its single item had done to live keys in a chunk that was lost, None for nothing."""
        part = self.first, self.task_id
        done = self.batch.live.pop(part, None) if self.batch.live else None
        return None if done is None else (part, done)
