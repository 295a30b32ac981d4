"""Maps under way: items read as they are needed, handed out in chunks, their outcomes put back into item order.

A map is one attempt for the scheduler; its items are known only here. Owns chunk sizes, retries of items and what
counts when a map stops early. Where chunks run is `map_places`'s.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from datetime import datetime
from itertools import count, islice
from typing import TYPE_CHECKING, Any

from graflow_fast._run.arguments import NOTHING
from graflow_fast._run.items import Outcome
from graflow_fast._run.map_places import InlinePlace, Place, PoolPlace, ThreadPlace
from graflow_fast._run.map_policy import judge
from graflow_fast._run.packing import unpacked
from graflow_fast._run.placement import INLINE, THREAD
from graflow_fast._run.scope import Operation
from graflow_fast.core.mapping import MapTask
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import GraflowRuntimeError, WorkerCrashedError

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run
    from graflow_fast._run.live_journal import Done, Part

#: The first ticket of chunks; those of schedulers are all below.
MAP_TICKETS = 1 << 61

#: Never starts anew: a worker of a warm pool may still hold a chunk that was taken back when the run before was
#: stopped, and would run that one if its ticket came again.
_tickets = count(MAP_TICKETS)

#: Seconds that a chunk should take, and at least when the items come to an end; and the most items in one.
CHUNK_SECONDS = 0.02
LEAST_SECONDS = 0.002
MAX_CHUNK = 1 << 16
#: The most bytes of items in a chunk, or of results out of it.
CHUNK_BYTES = 4 << 20
#: How many times more items a chunk may have than the largest that was measured.
_GROWTH = 8
#: How many items are read before the clock is looked at.
_GULP = 4096
#: How many batches may be ahead of the oldest unfinished one, where results are streamed in order.
_MAX_AHEAD = 64
#: After so many deaths of the worker an item is taken for the cause, whatever its retry policy says.
_POISON_AFTER = 3


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


class Chunk:
    """Items of a batch that are being run: all of them, or one again. Stands among the run's running attempts."""

    __slots__ = (
        "base_id", "batch", "branch", "call", "cause", "deaths", "ended", "handled", "map", "node", "number",
        "position", "size", "started", "tag", "task", "task_id", "ticket",
    )  # fmt: skip

    def __init__(self, owner: MapRun, ticket: int, batch: Batch, position: int, size: int, number: int) -> None:
        self.map = owner
        self.ticket = ticket
        self.batch = batch
        self.position = position
        self.size = size
        #: Which attempt of its item this is, for a single one.
        self.number = number
        self.task = owner.task.task
        self.base_id = owner.name
        self.task_id = f"{owner.name}[{batch.first + position}]"
        self.branch: Any = None
        self.node = owner.attempt.node
        self.cause = owner.attempt.cause
        self.call: Any = NOTHING
        self.tag = 0
        self.handled = False
        self.started = self.ended = 0.0

    @property
    def items(self) -> list[Any]:
        """The items that it runs."""
        if self.size == len(self.batch.items):
            return self.batch.items
        return self.batch.items[self.position : self.position + self.size]


class MapRun:
    """One map under way."""

    def __init__(self, maps: Maps, attempt: Attempt, place: str) -> None:
        task: Any = attempt.task
        self.maps = maps
        self.run = maps.run
        self.attempt = attempt
        self.task: MapTask = task
        self.name = attempt.task_id
        self.definition = task.task._definition
        #: Where results are handed to as they come, when somebody streams them.
        self.sink: deque[Any] | None = None
        self.keeps = True
        self.results: list[Any] = []
        self.failed: list[tuple[int, BaseException, BaseException]] = []
        self.batches: deque[Batch] = deque()
        self.log: list[Operation] = []
        self.directives: list[tuple[Any, ...]] = []
        self.total = 0
        self.stop_at: int | None = None
        self.again: deque[tuple[Batch, int, int]] = deque()
        self.waiting: list[tuple[float, int, Batch, int, int]] = []
        self._hopeless: set[str] = set()
        self.chunks: dict[int, Chunk] = {}
        self.exhausted = False
        self.raised: BaseException | None = None
        self._pushed_back: deque[Any] = deque()
        self._next_index = 0
        self._per_item = 0.0
        self._bytes_per_item = 0.0
        self._largest = 0
        limited = self.definition.timeout is not None or self.definition.memory_limit is not None
        limited = limited or self.run.placement.default_limits
        self.fixed_chunk: int | None = 1 if limited else task.chunk
        self.detailed = not self.run.silent
        self.items, self.size = task.open_items(self._items_value())
        kinds: dict[str, type[Place]] = {INLINE: InlinePlace, THREAD: ThreadPlace}
        self.place = kinds.get(place, PoolPlace)(self)

    def _items_value(self) -> Any:
        """Return the value that the items are taken from, when they are another task's result."""
        attempt = self.attempt
        source = self.task.items
        if isinstance(source, str):
            key = f"{source}.__result__"
            if not attempt.branch.channel.exists(key):
                raise GraflowRuntimeError(
                    f"Map '{self.name}' takes its items from task '{source}', which has left no result "
                    "(a text as items names a task; to map over its letters pass list(text))"
                )
            return attempt.branch.channel.get(key)
        if type(source).__name__ != "_Previous":
            return None
        previous = self.run.bodies.previous_of(attempt)
        if previous is NOTHING:
            raise GraflowRuntimeError(
                f"Map '{self.name}' has no items: none were given, and no single task before it returned a value"
            )
        return unpacked(previous())

    # --- handing out

    def pump(self) -> bool:
        """Hand out what there is room for; return whether anything was done here and now."""
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, batch, position, number = heapq.heappop(self.waiting)
            self.again.append((batch, position, number))
        done = False
        while self.place.has_room(len(self.chunks)):
            if self.again:
                batch, position, number = self.again.popleft()
                if not self._counts(batch.first + position):
                    continue
                chunk = Chunk(self, self.maps.new_ticket(), batch, position, 1, number)
            else:
                fresh = self._read()
                if fresh is None:
                    break
                chunk = Chunk(self, self.maps.new_ticket(), fresh, 0, len(fresh.items), 0)
            self.chunks[chunk.ticket] = chunk
            done = True
            if self.place.start(chunk):
                break
        if not (self.chunks or self.again or self.waiting or self.has_more()):
            self._finish()
            done = True
        return done

    def has_more(self) -> bool:
        """Say whether there may be items that were not handed out yet."""
        return self.stop_at is None and (not self.exhausted or bool(self._pushed_back))

    def blocks(self) -> bool:
        """Say whether items are to be run in the calling thread before anything else is started there."""
        return type(self.place) is InlinePlace and (self.has_more() or bool(self.again) or not self.waiting)

    def deadline(self) -> float | None:
        """Return when the next item may be tried again."""
        return self.waiting[0][0] if self.waiting else None

    def _read(self) -> Batch | None:
        """Read the next items; None when there are none, or enough are under way."""
        if self.stop_at is not None or (self.exhausted and not self._pushed_back):
            return None
        if self.sink is not None and (len(self.sink) > MAX_CHUNK or len(self.batches) > _MAX_AHEAD):
            return None
        wanted = self.chunk_size()
        items: list[Any] = []
        while self._pushed_back and len(items) < wanted:
            items.append(self._pushed_back.popleft())
        patience = None
        try:
            while len(items) < wanted and not self.exhausted:
                gulp = min(_GULP, wanted - len(items))
                before = len(items)
                items.extend(islice(self.items, gulp))
                if len(items) < before + gulp:
                    self.exhausted = True
                    break
                now = time.monotonic()
                patience = patience or now + CHUNK_SECONDS
                if now > patience:  # the items come slowly, and workers wait for these
                    break
        except Exception as error:
            self.raised = error
            self.exhausted = True
        if not items:
            return None
        batch = Batch(self._next_index, items)
        self._next_index += len(items)
        self.batches.append(batch)
        return batch

    def push_back(self, batch: Batch, count: int) -> None:
        """Give back the last items of the newest batch, which were not run."""
        self._pushed_back.extend(batch.items[-count:])
        del batch.items[-count:]
        batch.open -= count
        self._next_index -= count

    def chunk_size(self) -> int:
        """Return how many items the next chunk should have."""
        if self.fixed_chunk is not None:
            return self.fixed_chunk
        if not self._largest:
            return 1
        wanted = int(CHUNK_SECONDS / max(self._per_item, 1e-9))
        if self._bytes_per_item > 0:
            wanted = min(wanted, int(CHUNK_BYTES / self._bytes_per_item))
        if self.size is not None:  # leave enough for everybody at the end
            least = int(LEAST_SECONDS / max(self._per_item, 1e-9))
            wanted = min(wanted, max(least, (self.size - self._next_index) // (2 * self.place.workers)) + 1)
        return max(1, min(wanted, self._largest * _GROWTH, MAX_CHUNK))

    def measured(self, size: int, seconds: float, in_and_out: int) -> None:
        """Learn from a chunk that was run."""
        per_item = seconds / size
        weight = 1.0 if size > self._largest else 0.3
        self._per_item += (per_item - self._per_item) * weight
        self._bytes_per_item += (in_and_out / size - self._bytes_per_item) * weight
        self._largest = max(self._largest, size)

    def _counts(self, index: int) -> bool:
        return self.stop_at is None or index < self.stop_at

    # --- what comes back

    def report(self, chunk: Chunk, outcome: Outcome) -> None:
        """Take in what became of a chunk."""
        self.chunks.pop(chunk.ticket, None)
        batch, offset = chunk.batch, chunk.position
        whole = chunk.size == len(batch.items) and not batch.results
        failures = sorted(outcome.failures, key=lambda failure: failure[0])
        if whole:
            batch.results = outcome.results
        else:
            if not batch.results:
                batch.results = [None] * len(batch.items)
            batch.results[offset : offset + chunk.size] = outcome.results
        batch.open -= chunk.size
        if self.run.live_output:
            for _, pieces in outcome.pieces:
                self.attempt.branch.output.write(pieces)
        else:
            batch.pieces.extend((offset + position, pieces) for position, pieces in outcome.pieces)
        failed = {position for position, _ in failures}
        if outcome.times is not None:
            errors = dict(failures)
            batch.spans.extend(
                (offset + position, started, ended, errors.get(position))
                for position, (started, ended) in enumerate(outcome.times)
            )
        for position, log in outcome.logs:
            prior = batch.prior.get(offset + position)
            log = prior + log if prior else log
            if position in failed:
                batch.prior[offset + position] = log
            else:
                batch.logs.append((offset + position, log))
        logged = {position for position, _ in outcome.logs}
        if batch.prior:
            for position in range(chunk.size):
                if position not in failed and position not in logged and offset + position in batch.prior:
                    batch.logs.append((offset + position, batch.prior[offset + position]))
        for position, directives in outcome.directives:
            if position not in failed:
                batch.directives.append((offset + position, directives))
                if any(directive[0] in ("terminate", "cancel") for directive in directives):
                    self._stop(batch.first + offset + position + 1)
        for position, error in failures:
            self._item_failed(batch, offset + position, error, chunk.number)
        self._release()

    def _item_failed(self, batch: Batch, position: int, error: BaseException, number: int) -> None:
        """Try an item again if its policy says so, else it counts as failed."""
        index = batch.first + position
        item_id = f"{self.name}[{index}]"
        run, context = self.run, self.attempt.branch.context
        controller = context.retry_controller
        if isinstance(error, Exception):
            definition = self.definition
            if definition.retry_policy is not None:
                controller.set_node_policy(item_id, definition.retry_policy)
            elif definition.max_retries is not None:
                controller.set_node_max_retries(item_id, definition.max_retries)
            delay = None
            if self._counts(index) and item_id not in self._hopeless:
                delay = run.failures.retry_delay(context, item_id, error)
            if delay is not None:
                batch.open += 1
                entry = (time.monotonic() + delay, index, batch, position, number + 1)
                heapq.heappush(self.waiting, entry)
                return
            batch.failed[position] = (error, run.failures.final_error(context, item_id, error))
            if self.task.fail_fast:
                self._stop(index + 1)
        else:  # SystemExit and the like end the run, as from any body
            batch.failed[position] = (error, error)
            self._stop(index + 1)

    def lost(self, chunk: Chunk, error: Exception | None) -> None:
        """Note that a chunk's worker died: a single item is charged with the error, if there is one.

        Of several each is run again on its own.
        """
        self.chunks.pop(chunk.ticket, None)
        batch = chunk.batch
        if chunk.size > 1 or error is None:
            self._largest = 1
            self._per_item = CHUNK_SECONDS
            batch.live.update(self.run.processes.requests.journal.take(chunk.ticket))
            self.again.extend((batch, chunk.position + position, chunk.number) for position in range(chunk.size))
            return
        outcome = Outcome()
        outcome.results.append(None)
        outcome.failures.append((0, error))
        if self.detailed:
            outcome.times = [(chunk.started, time.time())]
        if chunk.number + 1 >= _POISON_AFTER and isinstance(error, WorkerCrashedError):
            self._hopeless.add(chunk.task_id)
        self.report(chunk, outcome)

    # --- in item order

    def _stop(self, index: int) -> None:
        """Let nothing from an item on count any more."""
        if self.stop_at is not None and self.stop_at <= index:
            return
        self.stop_at = index
        for chunk in list(self.chunks.values()):
            if chunk.batch.first + chunk.position >= index:
                self.chunks.pop(chunk.ticket)
                self.place.abandon(chunk)
        self.waiting = [entry for entry in self.waiting if entry[1] < index]
        heapq.heapify(self.waiting)
        self.again = deque(entry for entry in self.again if entry[0].first + entry[1] < index)
        while self.batches and self.batches[-1].first >= index:
            self.batches.pop()
        if self.batches:  # items that waited to be tried again may have been in the last one
            last = self.batches[-1]
            waits = sum(entry[2] is last for entry in self.waiting) + sum(item[0] is last for item in self.again)
            waits += sum(chunk.size for chunk in self.chunks.values() if chunk.batch is last)
            last.open = waits

    def _release(self) -> None:
        """Let the results of finished batches out, oldest first."""
        if not self.task.ordered:
            for batch in self.batches:
                if batch.open == 0 and batch.results:
                    self._let_out(batch)
                    batch.results = []
        while self.batches and self.batches[0].open == 0:
            batch = self.batches.popleft()
            self._end(batch)

    def _end(self, batch: Batch) -> None:
        size = len(batch.items)
        if self.stop_at is not None:
            size = min(size, self.stop_at - batch.first)
        output = self.attempt.branch.output
        for position, pieces in sorted(batch.pieces, key=lambda entry: entry[0]):
            if position < size:
                output.write(pieces)
        for position, log in sorted(batch.logs, key=lambda entry: entry[0]):
            if position < size:
                self.log.extend(log)
        for position, directives in sorted(batch.directives, key=lambda entry: entry[0]):
            if position < size:
                self.directives.extend(directives)
        if batch.failed or batch.prior:
            self._note_failures(batch, size)
        if batch.spans:
            self._trace(batch, size)
        if batch.results and self.task.ordered:
            self._let_out(batch)
        self.total += size

    def _let_out(self, batch: Batch) -> None:
        results = batch.results
        for position, (error, _) in batch.failed.items():
            results[position] = error
        if self.stop_at is not None and self.stop_at < batch.first + len(results):
            del results[self.stop_at - batch.first :]
        if self.sink is not None:
            if batch.failed and self._is_strict():
                failed = batch.failed
                self.sink.extend(result for position, result in enumerate(results) if position not in failed)
            else:
                self.sink.extend(results)
        if self.keeps:
            self.results.extend(results)

    def _is_strict(self) -> bool:
        return bool(self.task._execution_config["policy"] == "strict")

    def _note_failures(self, batch: Batch, size: int) -> None:
        controller = self.attempt.branch.context.retry_controller
        for position, (error, final) in sorted(batch.failed.items()):
            if position < size:
                self.failed.append((batch.first + position, error, final))
        for position in range(len(batch.items)):
            item_id = f"{self.name}[{batch.first + position}]"
            for table in (controller.retry_counts, controller.node_policies, controller.node_max_retries):
                table.pop(item_id, None)

    def _trace(self, batch: Batch, size: int) -> None:
        context = self.attempt.branch.context
        for position, started, ended, error in sorted(batch.spans, key=lambda span: span[:2]):
            if position >= size:
                break
            item = TaskWrapper(f"{self.name}[{batch.first + position}]", self.definition, register_to_context=False)
            with context.tracer.at(datetime.fromtimestamp(started)):
                context.tracer.on_task_start(item, context)
            with context.tracer.at(datetime.fromtimestamp(ended)):
                context.tracer.on_task_end(item, context, result=None, error=error)

    # --- the end

    def _finish(self) -> None:
        run, attempt = self.run, self.attempt
        self.maps.ended(self)
        run.attempts.running.pop(attempt.ticket, None)
        exits = [error for _, error, _ in self.failed if not isinstance(error, Exception)]
        if exits:
            run.outcomes.failed(attempt, exits[0])
            return
        if self.raised is not None:
            run.outcomes.failed_for_good(attempt, self.raised)  # type: ignore[arg-type]
            return
        self.place.replay(self.log)
        error = judge(self)
        if error is not None:
            run.outcomes.failed_for_good(attempt, error)
            return
        run.outcomes.returned(attempt, self.results, self.directives or None)

    def abandon(self) -> None:
        """Stop everything that is under way."""
        for chunk in list(self.chunks.values()):
            self.place.abandon(chunk)
        self.chunks.clear()
        self.place.close()


class Maps:
    """The maps of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.active: list[MapRun] = []
        #: The map whose results are streamed, and where they go.
        self.streamed: tuple[MapTask, deque[Any], bool] | None = None

    def new_ticket(self) -> int:
        """Return a ticket for a chunk."""
        return next(_tickets)

    def start(self, attempt: Attempt) -> None:
        """Begin a map."""
        run = self.run
        run.attempts.prepare(attempt)
        attempt.started = time.time()
        run.attempts.running[attempt.ticket] = attempt
        place = run.placement.of_items(attempt.task, attempt.branch)
        try:
            found = MapRun(self, attempt, place)
        except Exception as error:
            run.attempts.running.pop(attempt.ticket, None)
            run.outcomes.failed_for_good(attempt, error)
            return
        if self.streamed is not None and self.streamed[0] is attempt.task:
            found.sink, found.keeps = self.streamed[1], self.streamed[2]
        self.active.append(found)

    def pump(self, timeout: float | None) -> float | None:
        """Hand out what there is room for; return how long to wait at most."""
        for found in list(self.active):
            if timeout == 0.0 and type(found.place) is InlinePlace:
                continue  # one after the other
            if found.pump():
                timeout = 0.0
            elif (deadline := found.deadline()) is not None:
                left = max(0.0, deadline - time.monotonic())
                timeout = left if timeout is None else min(timeout, left)
        return timeout

    def blocks(self) -> bool:
        """Say whether a map in the calling thread goes on before anything else is started."""
        return any(found.blocks() for found in self.active)

    def ended(self, found: MapRun) -> None:
        """Forget a map that has ended."""
        self.active.remove(found)
        found.place.close()

    def abandon(self, attempt: Attempt) -> None:
        """Stop the map of an attempt that no longer matters."""
        for found in [found for found in self.active if found.attempt is attempt]:
            self.active.remove(found)
            found.abandon()

    def close(self) -> None:
        """Stop what is still under way."""
        for found in self.active:
            found.abandon()
        self.active.clear()
