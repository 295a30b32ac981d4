"""The interface of places: where bodies run. Contracts only, for type checking.

Whoever has a body to run gives it to a place, which tells the attempt what became of it. Which place that is stands in
the one table of placement; how it runs bodies is its own affair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from graflow_fast._places.attempt import Chunk, Map, TaskAttempt

if TYPE_CHECKING:
    from graflow_fast._body.scope import Operation

#: What is run there: attempts of bodies, or chunks of a map's items.
Work = TypeVar("Work", contravariant=True)


class Place(Protocol[Work]):
    """Where bodies run; what became of one is told to the attempt itself."""

    def submit(self, work: Work) -> None:
        """Have a body run."""

    def give_up(self, ticket: int) -> bool:
        """Stop the body of an attempt whose outcome no longer matters; False when it does not run here."""

    def close(self, interrupted: bool = False) -> None:
        """Stop what still runs and let go of what was held; ``interrupted``: by Ctrl-C or the like."""


class TaskPlace(Place[TaskAttempt], Protocol):
    """Where tasks run. News are taken in by the driver's thread, which waits in one place for those of all."""

    def for_map(self, owner: Map) -> ItemPlace:
        """Return where the items of a map run here."""

    def busy(self) -> bool:
        """Say whether there will be news."""

    def collect(self, timeout: float | None) -> bool:
        """Wait for news and take in all there are; False when there were none."""

    def wake(self, descriptor: int) -> None:
        """Write a byte to that descriptor when there are news from now on; -1: no longer."""


class ItemPlace(Place[Chunk], Protocol):
    """Where the chunks of one map run.

    Attributes:
        workers: how many run at once.
        in_caller: whether they run in the calling thread, which does nothing else meanwhile.
        crosses: whether they run in other processes, of which the program hears when a whole chunk has ended.
    """

    workers: int
    in_caller: bool
    crosses: bool

    def has_room(self, under_way: int) -> bool:
        """Say whether another chunk could start now, beside so many."""

    def replay(self, log: list[Operation]) -> None:
        """Do the items' writes on the channel of the map's branch."""
