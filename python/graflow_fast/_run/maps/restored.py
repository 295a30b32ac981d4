"""A map that goes on in another process: its items are read anew, and those that ended before have ended.

Owns the comparison of the items with what they were, and what is still to run. What was written down is `kept`'s.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from graflow_fast._body.items import ends_the_map
from graflow_fast._run.journal.items import ITEMS, ItemsEnd
from graflow_fast._run.maps.batches import Batch
from graflow_fast._run.maps.digests import digests, first_difference
from graflow_fast.exceptions import JournalMismatchError

if TYPE_CHECKING:
    from graflow_fast._run.journal.entries import Entry
    from graflow_fast._run.maps.kept import KeptItems
    from graflow_fast._run.maps.map_run import MapRun


def take_up(found: MapRun, kept: KeptItems) -> None:
    """Let a map that begins be where earlier processes had brought it.

    Raises:
        JournalMismatchError: its items are others than they were.
    """
    history = kept.history()
    if history:
        restored = _Restored(found, kept, history)
        restored.end_again(history)
        restored.read_anew()
        restored.go_on()


class _Restored:
    """What is known of a map's items before it goes on."""

    def __init__(self, found: MapRun, kept: KeptItems, history: list[Entry]) -> None:
        self._map = found
        self._kept = kept
        #: What was written down of whole batches, by their first items; in between are items of which nothing is known.
        self._ends = _whole([ItemsEnd(*entry) for entry in history if entry[0] == ITEMS])
        self._firsts = [end.first for end in self._ends]
        self._batches = [Batch(end.first, [None] * end.size) for end in self._ends]
        #: By index, of items that are to run again: when, on the monotonic clock, and which attempt that is.
        self._again: dict[int, tuple[float, int]] = {}
        #: Those with output that was not shown.
        self._saying: list[Batch] = []
        #: Of batches with items of which nothing is known.
        self._unbegun: list[Batch] = []
        self._in_order: list[Batch] = []
        #: Behind which items nothing counts.
        self._stops: list[int] = []
        #: What to add to the time of day for the monotonic clock.
        self._offset = time.monotonic() - time.time()

    # --- what was written down

    def end_again(self, history: list[Entry]) -> None:
        """Let all items end that ended before."""
        for entry in history:
            if entry[0] == ITEMS:
                self._end(ItemsEnd(*entry))
            else:
                self._show_until(entry[2])

    def _end(self, end: ItemsEnd) -> None:
        batch = self._batch_of(end.first)
        offset = end.first - batch.first
        if end.size == 1:
            self._again.pop(end.first, None)
        outcome = self._kept.outcome(end)
        failed = dict(outcome.failures)
        if outcome.pieces:
            self._saying.append(batch)
        batch.take_in(offset, end.size, outcome, failed)
        if end.undone:
            batch.spans = [span for span in batch.spans if span[0] - offset not in end.undone]
        for position in end.undone:
            batch.open += 1
            self._again[end.first + position] = 0.0, 0
        for position, _, delay, is_hopeless in end.failures:
            if position not in end.undone:
                self._fail(batch, offset + position, failed[position], end, delay, is_hopeless)
        for position, asked in outcome.directives:
            if ends_the_map(asked):
                self._stops.append(end.first + position + 1)
        if not end.number and end.seconds > 0:
            self._map.size.measured(end.size, end.seconds, len(end.results))
        done = end.size - len(failed) - len(end.undone)
        self._map.ended_before(done, done < end.size, end.seconds, end.time + self._offset)

    def _fail(
        self, batch: Batch, position: int, error: Exception, end: ItemsEnd, delay: float | None, is_hopeless: bool
    ) -> None:
        found, index = self._map, batch.first + position
        name, context = self._kept.name(index), found.attempt.branch.context
        found.set_limits(name)
        if delay is not None:
            context.retry_controller.increment(name, error=error)
            batch.open += 1
            self._again[index] = end.time + self._offset + delay, end.number + 1
            return
        failures = found.run.failures
        if not is_hopeless:
            failures.retry_delay(context, name, error)  # says why there was none
        batch.failed[position] = error, failures.final_error(context, name, error)
        if found.task.fail_fast:
            self._stops.append(index + 1)

    def _batch_of(self, index: int) -> Batch:
        return self._batches[bisect_right(self._firsts, index) - 1]

    def _show_until(self, index: int) -> None:
        for batch in self._saying:
            batch.pieces = [piece for piece in batch.pieces if batch.first + piece[0] >= index]
        self._saying = [batch for batch in self._saying if batch.pieces]

    # --- what the iterable gives today

    def read_anew(self) -> None:
        """Read the items again, keep those that are to run, and compare the others with what they were."""
        wanted: dict[int, list[int]] = {}
        for index in self._again:
            wanted.setdefault(self._batch_of(index).first, []).append(index)
        for end, batch in zip(self._ends, self._batches, strict=True):
            self._read_between(batch.first)
            items = self._read(end.size)
            batch.digests = digests(items)
            anew = wanted.get(batch.first, ())
            begins = {index - batch.first for index in anew if not self._again[index][1]}  # which may be another one
            different = first_difference(end.digests, batch.digests, begins)
            if different is not None:
                raise JournalMismatchError(self._map.name, f"item {batch.first + different} is another one than before")
            for index in anew:
                batch.items[index - batch.first] = items[index - batch.first]
            self._in_order.append(batch)

    def _read_between(self, until: int) -> None:
        """Read items of which nothing is known: they had been given out, and not ended."""
        source = self._map.source
        while source.next_index < until:
            first = source.next_index
            items = self._read(min(self._map.size.wanted(first), until - first))
            batch = Batch(first, items)
            batch.digests = digests(items)
            self._unbegun.append(batch)
            self._in_order.append(batch)

    def _read(self, count: int) -> list[Any]:
        source = self._map.source
        items = source.skip(count)
        if len(items) < count:
            last = self._ends[-1]
            raise JournalMismatchError(
                self._map.name,
                f"it has only {source.next_index} items, and item {last.first + last.size - 1} had ended before",
            )
        return items

    def go_on(self) -> None:
        """Give the map all that there is."""
        again = []
        for index, (when, number) in sorted(self._again.items()):
            batch = self._batch_of(index)
            again.append((when, index, batch, index - batch.first, number))
        self._map.take_up(self._in_order, self._unbegun, again, self._stops)


def _whole(ends: list[ItemsEnd]) -> list[ItemsEnd]:
    """Return those that tell of whole batches: others tell of one item of theirs that ran again."""
    found: list[ItemsEnd] = []
    for end in sorted(ends, key=lambda end: (end.first, -end.size)):
        if not found or end.first >= found[-1].first + found[-1].size:
            found.append(end)
    return found
