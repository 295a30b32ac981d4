"""Consecutive items that were read together, and chunks of them under way. Decides nothing about either."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from graflow_fast._run.arguments import NOTHING

if TYPE_CHECKING:
    from graflow_fast._run.live_journal import Done, Part
    from graflow_fast._run.maps.items import Outcome
    from graflow_fast._run.maps.map_run import MapRun
    from graflow_fast._run.scope import Operation

#: The first ticket of chunks; those of schedulers are all below.
MAP_TICKETS = 1 << 61

#: Never starts anew: a worker of a warm pool may still hold a chunk that was taken back when the run before was
#: stopped, and would run that one if its ticket came again.
_tickets = count(MAP_TICKETS)


class Batch:
    """Consecutive items that were read together, and what became of them; positions count from the first."""

    __slots__ = (
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
        "base_id", "batch", "branch", "call", "cause", "ended", "handled", "map", "node", "number",
        "position", "size", "started", "tag", "task", "task_id", "ticket",
    )  # fmt: skip

    def __init__(self, owner: MapRun, batch: Batch, position: int, size: int, number: int) -> None:
        self.map = owner
        self.ticket = next(_tickets)
        self.batch = batch
        self.position = position
        self.size = size
        #: Which attempt of its item this is, for a single one.
        self.number = number
        self.task = owner.task.task
        self.base_id = owner.name
        self.task_id = f"{owner.name}[{self.first}]"
        self.branch: Any = None
        self.node = owner.attempt.node
        self.cause = owner.attempt.cause
        self.call: Any = NOTHING
        self.tag = 0
        self.handled = False
        self.started = self.ended = 0.0

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
