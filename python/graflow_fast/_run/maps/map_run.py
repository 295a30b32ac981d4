"""One map under way: items handed out in chunks, failed ones tried again, until all have an outcome or none counts.

Owns retries of items and what counts when a map stops early. Places run its chunks, `results` has their order.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from graflow_fast._body.items import Outcome, ends_the_map
from graflow_fast._run.attempts.unanswered import is_unanswered
from graflow_fast._run.maps.batches import Batch, Chunk, next_ticket
from graflow_fast._run.maps.chunk_size import ChunkSize
from graflow_fast._run.maps.policy import judge
from graflow_fast._run.maps.results import Results
from graflow_fast._run.maps.source import Source, items_value

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._places.bodies import Bodies
    from graflow_fast._places.placement import Placement
    from graflow_fast._places.places import Places
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.attempts.attempts import Attempts
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.journal.journal import Journal
    from graflow_fast._run.log import Log
    from graflow_fast._run.maps.kept import KeptItems
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.progress import Shown
    from graflow_fast._run.recording import Recording
    from graflow_fast._run.tracing import Tracing
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.mapping import MapTask

    class Parts(Protocol):
        """What maps use of a run."""

        attempts: Attempts
        bodies: Bodies
        failures: Failures
        journal: Journal | None
        live_output: bool
        nodes: NodeTable
        placement: Placement
        places: Places
        recording: Recording | None
        shown: Shown | None
        log: Log | None
        silent: bool
        tracing: Tracing


class MapRun:
    """One map under way."""

    def __init__(self, run: Parts, attempt: Attempt, ended: Callable[[MapRun], None]) -> None:
        task: Any = attempt.task
        self.run = run
        self.attempt = attempt
        #: Called when it has ended.
        self._ended = ended
        self.task: MapTask = task
        self.name = attempt.task_id
        self.definition: Definition = task.task._definition
        #: Whether the times of each item are wanted.
        self.detailed = not (run.silent or (run.journal is not None and run.tracing.silent))
        self.results = Results(attempt)
        items, total = task.open_items(items_value(run.bodies, attempt))
        self.source = Source(items)
        self._total = total
        if run.shown is not None:
            run.shown.core.add_items(attempt.node, 0, total, 0.0)
        self.chunks: dict[int, Chunk] = {}
        self.place = run.places.for_map(self)
        limited = self.definition.timeout is not None or self.definition.memory_limit is not None
        limited = limited or self.run.placement.default_limits
        #: What writes down what becomes of items, None in a run that is not durable.
        self.kept: KeptItems | None = None
        if run.journal is not None:
            from graflow_fast._run.maps.kept import KeptItems

            self.kept = KeptItems(run.journal, run.nodes, attempt)
            limited = limited or not self.place.crosses  # here an item is written down as soon as it is done
        self.size = ChunkSize(1 if limited else task.chunk, total, self.place.workers)
        #: Items to run once more, each alone: (batch, position, attempt), at once or (when, index, ...) later.
        self._again: deque[tuple[Batch, int, int]] = deque()
        self._waiting: list[tuple[float, int, Batch, int, int]] = []
        #: The ids of items that another attempt would fail in the same way.
        self._hopeless: set[str] = set()
        #: Batches that an earlier process had given out, and of which it did not hear.
        self._unbegun: deque[Batch] = deque()

    # --- handing out

    def pump(self) -> bool:
        """Hand out what there is room for; return whether anything was done here and now."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            self._again.append(heapq.heappop(self._waiting)[2:])
        done = False
        while self.place.has_room(len(self.chunks)):
            chunk = self._next_chunk()
            if chunk is None:
                break
            self.chunks[chunk.ticket] = chunk
            done = True
            if self.run.shown is not None:
                self.run.shown.core.begin_chunk(chunk.ticket, self.attempt.node)
            self.place.submit(chunk)
            if self.place.in_caller:
                break
        if not (self.chunks or self._again or self._waiting or self._unbegun or self.has_more()):
            self._finish()
            done = True
        return done

    def _next_chunk(self) -> Chunk | None:
        """Return what runs next; None when there is nothing, or enough is under way."""
        while self._again:
            batch, position, number = self._again.popleft()
            if self.results.counts(batch.first + position):
                return Chunk(self, batch, position, 1, number)
        if self._unbegun:
            batch = self._unbegun.popleft()
            return Chunk(self, batch, 0, len(batch.items), 0)
        if not self.has_more() or self.results.are_full():
            return None
        batch_read = self.source.read(self.size.wanted(self.source.next_index))
        if batch_read is None:
            return None
        if self.kept is not None:
            batch_read.digests = self.kept.digests(batch_read.items)
        self.results.batches.append(batch_read)
        return Chunk(self, batch_read, 0, len(batch_read.items), 0)

    def has_more(self) -> bool:
        """Say whether there may be items that were not handed out yet."""
        return self.results.stop_at is None and self.source.has_more()

    def blocks(self) -> bool:
        """Say whether items are to be run in the calling thread before anything else is started there."""
        at_once = self.has_more() or bool(self._again) or bool(self._unbegun)
        return self.place.in_caller and (at_once or not self._waiting)

    def deadline(self) -> float | None:
        """Return when the next item may be tried again."""
        return self._waiting[0][0] if self._waiting else None

    def waits_before(self, batch: Batch, position: int) -> bool:
        """Say whether an item of a batch before that position waits to be tried again."""
        waiting = [*((entry[2], entry[3]) for entry in self._waiting), *((entry[0], entry[1]) for entry in self._again)]
        return any(found is batch and place < position for found, place in waiting)

    # --- what comes back

    def report(self, chunk: Chunk, outcome: Outcome, least_delay: float = 0.0) -> None:
        """Take in what became of a chunk; items that failed run again after ``least_delay`` seconds or later."""
        self.chunks.pop(chunk.ticket, None)
        batch, offset = chunk.batch, chunk.position
        if self.run.live_output:
            for _, pieces in outcome.pieces:
                self.attempt.branch.output.write(pieces)
            outcome.pieces = []
        packed = None if self.kept is None else self.kept.packed(chunk.first, outcome)
        failed = dict(outcome.failures)
        if self.run.recording is not None:
            attempt = self.attempt
            self.run.recording.chunk_ran(chunk.ticket, attempt.node, attempt.branch.id, bool(failed), chunk.seconds)
        if self.run.shown is not None:
            ended = chunk.size - len(failed)
            self.run.shown.core.end_chunk(chunk.ticket)
            self.run.shown.core.add_items(self.attempt.node, ended, self._total, chunk.seconds)
        batch.take_in(offset, chunk.size, outcome, failed)
        for position, asked in outcome.directives:
            if position not in failed and ends_the_map(asked):
                self._stop(chunk.first + position + 1)
        delays = {}
        for position in sorted(failed):
            delays[position] = self._item_failed(batch, offset + position, failed[position], chunk.number, least_delay)
        if self.kept is None or packed is None:
            self.results.release()
            return
        self.kept.append(chunk, outcome, packed, delays, self._hopeless)
        self.results.release()
        self.kept.shown(self.results.said_until)

    def shown(self, index: int) -> None:
        """Note that what items before that one have said so far is shown."""
        if self.kept is not None:
            self.kept.shown(index)

    def fail(self, chunk: Chunk, error: BaseException, least_delay: float, is_final: bool) -> None:
        """Take in that a chunk of a single item failed as a whole.

        Args:
            chunk: the chunk.
            error: what its item fails with.
            least_delay: seconds to wait before it is repeated, if its policy does not ask for more.
            is_final: whether another attempt would only repeat it.
        """
        outcome = Outcome()
        outcome.results.append(None)
        outcome.failures.append((0, error))
        if chunk.spoken:
            outcome.pieces.append((0, chunk.spoken))
        if self.detailed and chunk.started:
            outcome.times = [(chunk.started, time.time())]
        if is_final:
            self._hopeless.add(chunk.task_id)
        self.report(chunk, outcome, least_delay)

    def _item_failed(
        self, batch: Batch, position: int, error: BaseException, number: int, least_delay: float
    ) -> float | None:
        """Try an item again if its policy says so, and return in how many seconds; None: it counts as failed."""
        index = batch.first + position
        item_id = f"{self.name}[{index}]"
        run, context = self.run, self.attempt.branch.context
        if not isinstance(error, Exception) or is_unanswered(error):  # SystemExit and the like, as from any body
            batch.failed[position] = (error, error)
            self._stop(index + 1)
            return None
        self.set_limits(item_id)
        delay = None
        if self.results.counts(index) and item_id not in self._hopeless:
            delay = run.failures.retry_delay(context, item_id, error)
        if delay is not None:
            delay = max(delay, least_delay)
        if run.log is not None:
            run.log.failed(item_id, number, error, delay)
        if delay is not None:
            batch.open += 1
            if delay > 0:
                heapq.heappush(self._waiting, (time.monotonic() + delay, index, batch, position, number + 1))
            else:  # before anything that stands behind it
                self._again.append((batch, position, number + 1))
            return delay
        batch.failed[position] = (error, run.failures.final_error(context, item_id, error))
        if self.task.fail_fast:
            self._stop(index + 1)
        return None

    def set_limits(self, item_id: str) -> None:
        """Note how often an item may be tried."""
        definition, controller = self.definition, self.attempt.branch.context.retry_controller
        if definition.retry_policy is not None:
            controller.set_node_policy(item_id, definition.retry_policy)
        elif definition.max_retries is not None:
            controller.set_node_max_retries(item_id, definition.max_retries)

    def run_one_by_one(self, chunk: Chunk) -> None:
        """Run the items of a chunk anew, each alone; it is still the same attempt of them."""
        self.chunks.pop(chunk.ticket, None)
        self._again.extend((chunk.batch, chunk.position + position, chunk.number) for position in range(chunk.size))

    # --- what earlier processes of a durable run did

    def ended_before(self, count: int, failed: bool, seconds: float, ended: float) -> None:
        """Show and record that so many items have ended then, on the monotonic clock."""
        run, attempt = self.run, self.attempt
        if run.recording is not None:
            run.recording.chunk_ran(next_ticket(), attempt.node, attempt.branch.id, failed, seconds, ended)
        if run.shown is not None:
            run.shown.core.add_items(attempt.node, count, self._total, seconds)

    def take_up(
        self,
        batches: list[Batch],
        unbegun: list[Batch],
        again: list[tuple[float, int, Batch, int, int]],
        stops: list[int],
    ) -> None:
        """Go on where earlier processes were.

        Args:
            batches: all that is known of items, in order.
            unbegun: which of them are to run as a whole.
            again: single items that are to run: when, on the monotonic clock; the index; batch, position and attempt.
            stops: from which items on nothing counts.
        """
        self.results.batches.extend(batches)
        self._unbegun.extend(unbegun)
        self._waiting = sorted(again)
        for index in stops:
            self._stop(index)
        self.results.release()
        self.shown(self.results.said_until)

    # --- the end

    def _stop(self, index: int) -> None:
        """Let nothing from an item on count any more."""
        if not self.results.counts(index):
            return
        for chunk in list(self.chunks.values()):
            if chunk.first >= index:
                self.chunks.pop(chunk.ticket)
                self.place.give_up(chunk.ticket)
        self._waiting = [entry for entry in self._waiting if entry[1] < index]
        heapq.heapify(self._waiting)
        self._again = deque(entry for entry in self._again if entry[0].first + entry[1] < index)
        self._unbegun = deque(batch for batch in self._unbegun if batch.first < index)
        last = self.results.stop(index)
        if last is not None:  # items that waited to be tried again may have been in the last one
            waits = sum(entry[2] is last for entry in self._waiting) + sum(item[0] is last for item in self._again)
            last.open = waits + sum(chunk.size for chunk in self.chunks.values() if chunk.batch is last)
            last.open += sum(len(batch.items) for batch in self._unbegun if batch is last)

    def _finish(self) -> None:
        attempt, results = self.attempt, self.results
        self._ended(self)
        self.run.attempts.running.pop(attempt.ticket, None)
        exits = [error for _, error, _ in results.failed if not isinstance(error, Exception) or is_unanswered(error)]
        if exits:
            attempt.failed(exits[0])
            return
        if self.source.raised is not None:
            attempt.failed(self.source.raised, is_final=True)
            return
        self.place.replay(results.log)
        error = judge(self)
        if error is not None:
            attempt.failed(error, is_final=True)
            return
        attempt.returned(results.values, results.directives or None)

    def abandon(self) -> None:
        """Stop everything that is under way."""
        for chunk in list(self.chunks.values()):
            self.place.give_up(chunk.ticket)
        self.chunks.clear()
        self.place.close()
