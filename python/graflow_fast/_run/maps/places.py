"""Where chunks of a map run: in the caller, in threads, in the pool. Knows nothing of retries or item order."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._run import crossing
from graflow_fast._run.arguments import NOTHING
from graflow_fast._run.maps.items import Body, Outcome, run_items
from graflow_fast._run.output import CapturedThreads, Piece, Pieces, capture
from graflow_fast._run.packing import load_packed, packed_value
from graflow_fast._run.scope import BranchChannel, Operation, replay
from graflow_fast._run.serialization import explain_unpicklable
from graflow_fast._worker.effects import unpack_error
from graflow_fast.channels._packed import Packed
from graflow_fast.exceptions import TaskSerializationError

if TYPE_CHECKING:
    from graflow_fast._run.maps.batches import Chunk
    from graflow_fast._run.maps.map_run import MapRun


class ItemsBranch:
    """What stands for a branch while items run: the channel at the start of the map, and an item's earlier writes."""

    def __init__(self, found: MapRun, prior: list[Operation] | None = None) -> None:
        parent = found.attempt.branch
        self.parent = parent
        self.id = parent.id
        self.fork = parent.fork
        self.failure: BaseException | None = None
        self.output = parent.output
        self.channel: Any = found.attempt.branch.channel
        if prior:
            self.channel = BranchChannel(f"{self.channel.name}_item", self.channel, found.run.live)
            replay(prior, self.channel, found.run.live)

    @property
    def context(self) -> Any:
        """The context of the branch that the map runs in."""
        return self.parent.context


class Place:
    """Where the chunks of one map run."""

    workers = 1
    #: Whether that is the calling thread, which does nothing else meanwhile.
    in_caller = False

    def __init__(self, found: MapRun) -> None:
        self.map = found
        self.run = found.run
        limit = found.definition.max_concurrency
        self.limit: int | None = None if limit is None else int(limit)

    def has_room(self, under_way: int) -> bool:
        """Say whether another chunk could start now."""
        raise NotImplementedError

    def start(self, chunk: Chunk) -> bool:
        """Start a chunk; return whether it is done already."""
        raise NotImplementedError

    def abandon(self, chunk: Chunk) -> None:
        """Stop a chunk whose outcome no longer matters."""
        self.run.attempts.running.pop(chunk.ticket, None)

    def replay(self, log: list[Operation]) -> None:
        """Do the items' writes on the channel of the map's branch."""
        replay(log, self.map.attempt.branch.channel, self.run.live)

    def close(self) -> None:
        """Let go of what was held for this map."""

    def body(self, chunk: Chunk) -> Body:
        """Return how the body is called in this process."""
        found = self.map
        task = found.task.task
        channel = found.attempt.branch.channel
        parent = found.attempt.branch.context
        prior = chunk.batch.prior.get(chunk.position) if chunk.size == 1 else None

        def context_of(item_id: str) -> Any:
            own = BranchChannel(f"{channel.name}_{item_id}", channel, self.run.live)
            if prior:
                replay(prior, own, self.run.live)
                own.log.clear()
            context = parent.create_branch_context(item_id, own)
            if chunk.number:
                context.retry_controller = parent.retry_controller
            return context

        previous = self.run.bodies.previous_of(found.attempt) if found.task.has_own_items else NOTHING
        handler = self.run.handlers.get(task.handler_type)
        return Body(found.definition, found.name, lambda: task._bound_kwargs, context_of, previous, handler)


class InlinePlace(Place):
    """The calling thread, one chunk at a time."""

    in_caller = True

    def has_room(self, under_way: int) -> bool:
        """One at a time."""
        return under_way == 0

    def start(self, chunk: Chunk) -> bool:
        """Run the chunk now, up to the first item that fails; what is behind it is given back."""
        found = self.map
        items = chunk.items
        context = found.attempt.branch.context
        outer = context.current_task_context
        started = time.monotonic()
        body = self.body(chunk)

        def run() -> Outcome:
            return run_items(
                body, items, chunk.first, detailed=found.detailed, caught=Exception, until_failure=chunk.size > 1
            )

        try:
            if found.results.batches[0] is chunk.batch or self.run.live_output:
                outcome = run()
            else:  # an earlier item is still to be tried again: what it prints comes first
                with CapturedThreads(), capture() as pieces:
                    outcome = run()
                if pieces:
                    outcome.pieces.append((len(outcome.results) - 1, pieces))
        finally:
            context.current_task_context = outer
        done = len(outcome.results)
        if done < chunk.size and outcome.failures:
            found.source.push_back(chunk.batch, chunk.size - done)
            chunk.size = done
        found.size.measured(done, time.monotonic() - started, 0)
        found.report(chunk, outcome)
        return True


class ThreadPlace(Place):
    """Threads of this process."""

    def __init__(self, found: MapRun) -> None:
        super().__init__(found)
        self.workers = self.run.settings.resolved_workers()
        self.threads = self.run.thread_side()

    def has_room(self, under_way: int) -> bool:
        """As many as there are threads."""
        return under_way < (self.workers if self.limit is None else min(self.limit, self.workers))

    def start(self, chunk: Chunk) -> bool:
        """Have a thread run the chunk."""
        found = self.map
        self.run.attempts.running[chunk.ticket] = chunk  # type: ignore[assignment]
        items = list(chunk.items)
        first = chunk.first
        body = self.body(chunk)

        def work(pieces: Pieces) -> tuple[Outcome, float]:
            started = time.monotonic()
            outcome = run_items(body, items, first, detailed=found.detailed, take_output=pieces.take)
            return outcome, time.monotonic() - started

        def done(result: tuple[Outcome, float], _: Pieces) -> None:
            del self.run.attempts.running[chunk.ticket]
            outcome, seconds = result
            found.size.measured(chunk.size, seconds, 0)
            found.report(chunk, outcome)

        self.threads.submit_call(chunk.ticket, None, work, done)
        return False

    def abandon(self, chunk: Chunk) -> None:
        """Let nothing come of a chunk any more."""
        super().abandon(chunk)
        self.threads.give_up(chunk.ticket)


class PoolPlace(Place):
    """Worker processes."""

    def __init__(self, found: MapRun) -> None:
        super().__init__(found)
        self.processes = self.run.process_side()
        self.workers = self.processes.pool.size
        self._branch = ItemsBranch(found)
        task = found.task.task
        self._bound = (
            self.processes.sending.pack_bound(found.name, task._bound_kwargs, found.attempt.branch)
            if task._names
            else None
        )
        self._previous: bytes | None = None
        attempt = found.attempt
        parameters = found.definition.parameters
        required = sum(parameter.required for parameter in parameters)
        if found.task.has_own_items and attempt.cause >= 0 and required > 1:
            name = self.run.nodes.names[attempt.cause]
            self._previous = packed_value(attempt.branch.channel, f"{name}.__result__")
        values = self.processes.sending.declared(self._branch, found.definition) if len(parameters) > 1 else {}
        self._view = self.processes.sending.define_view(attempt.branch.context, True, values)

    def has_room(self, under_way: int) -> bool:
        """A chunk that runs and one that waits for every worker."""
        return under_way < (2 * self.workers if self.limit is None else self.limit)

    def start(self, chunk: Chunk) -> bool:
        """Give the chunk to the pool; items that can't be sent fail."""
        found, run, processes = self.map, self.run, self.processes
        definition = found.definition
        try:
            keys = processes.table.keys_for(definition, found.name)
            items = crossing.dumps(chunk.items)
        except Exception as error:
            self._unsendable(chunk, error)
            return False
        chunk.branch = self._branch
        extra: dict[str, Any] | None = None
        if chunk.number:
            chunk.branch = ItemsBranch(found, chunk.batch.prior.get(chunk.position))
            extra = {"retries": chunk.number, "values": processes.sending.declared(chunk.branch, definition)}
        first = chunk.first
        done = chunk.batch.live.pop((first, chunk.task_id), None) if chunk.batch.live else None
        if done is not None:
            processes.requests.journal.give(chunk.ticket, (first, chunk.task_id), done)
        content = {"chunk": (first, items, found.detailed, self._previous, extra)}
        held: list[Any] = []
        payload = crossing.pack((found.name, keys[0], self._view, self._bound, content), held)
        if held:
            processes.sending.hold(chunk.ticket, held)
        timeout = definition.timeout if definition.timeout is not None else run.settings.timeout
        memory_limit = definition.memory_limit if definition.memory_limit is not None else run.settings.memory_limit
        processes.losses.limit_memory(chunk.ticket, memory_limit)
        if processes.live_output is not None and chunk.size > 1:
            processes.live_output.later.add(chunk.ticket)
        run.attempts.running[chunk.ticket] = chunk  # type: ignore[assignment]
        chunk.started = time.time()
        # The view is this map's own, so the pool measures its chunks apart from other tasks of the function.
        processes.core.submit(chunk.ticket, payload, (self._view, *keys), timeout)
        return False

    def _unsendable(self, chunk: Chunk, error: Exception) -> None:
        found = self.map
        if chunk.size > 1:
            found.run_one_by_one(chunk)
            return
        if not isinstance(error, TaskSerializationError):
            error = explain_unpicklable(chunk.task_id, "item", chunk.items[0], error)
        found.fail(chunk, error, hopeless=True)

    def abandon(self, chunk: Chunk) -> None:
        """Take the chunk back, or stop the worker that runs it."""
        super().abandon(chunk)
        self.processes.losses.abandon(chunk)

    def close(self) -> None:
        """Forget the view."""
        if self._view in self.processes.sending.views:
            self.processes.sending.forget_view(self._view)


def report_chunk(
    processes: Any, chunk: Chunk, flags: int, seconds: float, result: bytes, parts: Any, written: list[Piece]
) -> None:
    """Take in what a worker reports of a chunk."""
    found = chunk.map
    live = processes.live_output
    if flags & 1:  # it failed as a whole: its items could not be loaded, or its results not be sent
        _, _, pieces, packed = parts
        if chunk.size > 1:
            found.lost(chunk, RuntimeError(str(unpack_error(chunk.task_id, packed))))
            return
        if pieces and live is not None:
            pieces = live.rest(chunk.ticket, pieces)
        found.fail(chunk, unpack_error(chunk.task_id, packed), pieces)
        return
    outcome = Outcome()
    outcome.results = crossing.loads(result)
    found.size.measured(chunk.size, seconds, len(result))
    if parts is not None:
        failures, logs, directives, outcome.pieces, outcome.times = parts
        if live is not None:
            outcome.pieces = live.rest_of_items(chunk.ticket, outcome.pieces)
        offset = chunk.task_id
        for position, packed in failures:
            chunk.task_id = f"{found.name}[{chunk.first + position}]"
            outcome.failures.append((position, unpack_error(chunk.task_id, packed)))
        chunk.task_id = offset
        for position, log in logs:
            outcome.logs.append((position, [_operation(entry) for entry in log]))
        for position, asked in directives:
            outcome.directives.append((position, [processes._restored(directive) for directive in asked]))
    if written:  # around Python, so it is only known to be some item's of this chunk
        outcome.pieces.append((chunk.size - 1, written))
    found.report(chunk, outcome)


def _operation(entry: tuple[str, str, bytes | None, float | None]) -> Operation:
    operation, key, data, expires = entry
    return operation, key, None if data is None else Packed(data, load_packed), expires
