"""Chunks of a map's items in worker processes: what is sent of one, and what a report of one says.

Owns one map's view. Knows nothing of retries or item order.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._body.items import Outcome
from graflow_fast._body.packing import load_packed, packed_value
from graflow_fast._body.scope import BranchChannel, Operation, replay
from graflow_fast._core import pack_chunk, read_failure
from graflow_fast._wire import crossing
from graflow_fast._wire.effects import unpack_error
from graflow_fast._wire.serialization import explain_unpicklable
from graflow_fast.channels._packed import Packed
from graflow_fast.exceptions import TaskSerializationError

if TYPE_CHECKING:
    from graflow_fast._body.output import OutputStream, Piece
    from graflow_fast._body.scope import LiveStore
    from graflow_fast._places.attempt import Branch, Chunk, Fork, Map
    from graflow_fast._places.process.processes import Processes
    from graflow_fast._pool.written import Written
    from graflow_fast.channels.base import Channel
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.graph import TaskGraph


class ItemsBranch:
    """What stands for a branch while items run: the channel at the start of the map, and an item's earlier writes."""

    def __init__(self, parent: Branch, live: LiveStore, prior: list[Operation] | None = None) -> None:
        self.parent = parent
        self.id, self.index, self.placement = parent.id, parent.index, parent.placement
        self.channel: Channel = parent.channel
        if prior:
            self.channel = BranchChannel(f"{self.channel.name}_item", self.channel, live)
            replay(prior, self.channel, live)

    @property
    def fork(self) -> Fork | None:
        """The group that the map runs in, if any."""
        return self.parent.fork

    @property
    def context(self) -> ExecutionContext:
        """The context of the branch that the map runs in."""
        return self.parent.context

    def flows(self) -> bool:
        """Say whether all that comes before the map in order has been shown."""
        return self.parent.flows()

    @property
    def graph(self) -> TaskGraph:
        """The graph as that branch sees it."""
        return self.parent.graph

    @property
    def output(self) -> OutputStream:
        """Where that branch's output goes."""
        return self.parent.output

    def refuse(self) -> None:
        """Nothing: items are given up with their workers."""


class PoolItems:
    """The chunks of one map in worker processes."""

    in_caller = False
    crosses = True

    def __init__(self, processes: Processes, owner: Map) -> None:
        self.map = owner
        self.processes = processes
        self.host = processes.host
        self.workers = processes.pool.size
        attempt, definition = owner.attempt, owner.definition
        limit = definition.max_concurrency
        self.limit = 2 * self.workers if limit is None else int(limit)
        if definition.resources is not None:
            self.limit = self.host.resources.at_once(definition)
        sending = processes.sending
        self._branch = ItemsBranch(attempt.branch, self.host.live)
        task = owner.task.task
        in_root = attempt.branch.fork is None
        self._bound = sending.pack_bound(owner.name, task._bound_kwargs, in_root) if task._names else None
        self._previous: bytes | None = None
        parameters = definition.parameters
        required = sum(parameter.required for parameter in parameters)
        has_previous = attempt.cause >= 0 and not self.host.nodes.tasks[attempt.cause].is_group
        if owner.task.has_own_items and has_previous and required > 1:
            name = self.host.nodes.names[attempt.cause]
            self._previous = packed_value(attempt.branch.channel, f"{name}.__result__")
        values = sending.declared(self._branch, definition) if len(parameters) > 1 else {}
        self._view = sending.define_view(attempt.branch.context, True, values)

    def has_room(self, under_way: int) -> bool:
        """A chunk that runs and one that waits for every worker."""
        return under_way < self.limit

    def submit(self, chunk: Chunk) -> None:
        """Give the chunk to the pool; items that can't be sent fail."""
        owner, processes, settings = self.map, self.processes, self.host.settings
        definition = owner.definition
        try:
            keys = processes.table.keys_for(definition, owner.name)
            items = crossing.dumps(chunk.items)
        except Exception as error:
            self._unsendable(chunk, error)
            return
        branch = self._branch
        extra: dict[str, Any] | None = None
        if chunk.number:
            branch = ItemsBranch(owner.attempt.branch, self.host.live, chunk.prior)
            extra = {"retries": chunk.number, "values": processes.sending.declared(branch, definition)}
        chunk.branch = branch
        done = chunk.take_done()
        if done is not None:
            processes.requests.journal.give(chunk.ticket, *done)
        held: list[Any] = []
        content = crossing.pack((chunk.first, items, owner.detailed, self._previous, extra, owner.task.spread), held)
        payload = pack_chunk(keys[0], self._view, owner.name, self._bound or b"", content)
        if type(self._bound) is not bytes and self._bound is not None:
            held.append(self._bound)
        if held:
            processes.sending.hold(chunk.ticket, held)
        timeout = definition.timeout if definition.timeout is not None else settings.timeout
        memory_limit = definition.memory_limit if definition.memory_limit is not None else settings.memory_limit
        if processes.live_output is not None and chunk.size > 1:
            processes.live_output.later.add(chunk.ticket)
        self.host.attempts.running[chunk.ticket] = chunk
        chunk.started = time.time()
        # The view is this map's own, so the pool measures its chunks apart from other tasks of the function.
        processes.core.submit(chunk.ticket, payload, (self._view, *keys), timeout, memory_limit)

    def _unsendable(self, chunk: Chunk, error: Exception) -> None:
        if chunk.size > 1:
            chunk.split()
            return
        if not isinstance(error, TaskSerializationError):
            error = explain_unpicklable(chunk.task_id, "item", chunk.items[0], error)
        chunk.failed(error, is_final=True)

    def give_up(self, ticket: int) -> bool:
        """Take the chunk back, or stop the worker that runs it."""
        self.host.attempts.running.pop(ticket, None)
        return self.processes.give_up(ticket)

    def replay(self, log: list[Operation]) -> None:
        """Do the items' writes on the channel of the map's branch."""
        replay(log, self.map.attempt.branch.channel, self.host.live)

    def close(self, interrupted: bool = False) -> None:
        """Forget the view."""
        if self._view in self.processes.sending.views:
            self.processes.sending.forget_view(self._view)


def report_failure(processes: Processes, chunk: Chunk, record: bytes, written: Written | None) -> None:
    """Take in that a chunk failed as a whole: its items could not be loaded, or its results not be sent."""
    said, error, trace = read_failure(record, crossing.loads)
    if chunk.size > 1:
        chunk.lost(processes.requests.journal.take(chunk.ticket))
        return
    pieces: list[Piece] = written.fill(said) if said and written is not None else said
    if pieces and processes.live_output is not None:
        pieces = processes.live_output.rest(chunk.ticket, pieces)
    chunk.said(pieces)
    chunk.failed(unpack_error(chunk.task_id, (error, trace)))


def report_chunk(
    processes: Processes, chunk: Chunk, seconds: float, result: bytes, parts: Any, written: Written | None
) -> None:
    """Take in what a worker reports of a chunk: its items' results, and in ``parts`` all else that they did, if any."""
    live = processes.live_output
    outcome = Outcome()
    outcome.results = crossing.loads(result)
    chunk.measured(chunk.size, seconds, len(result))
    if parts is not None:
        failures, logs, directives, outcome.pieces, outcome.times = parts
        if written is not None:
            outcome.pieces = [(position, written.fill(said)) for position, said in outcome.pieces]
        if live is not None:
            outcome.pieces = live.rest_of_items(chunk.ticket, outcome.pieces)
        name, first = chunk.base_id, chunk.first
        for position, packed in failures:
            outcome.failures.append((position, unpack_error(f"{name}[{first + position}]", packed)))
        for position, log in logs:
            outcome.logs.append((position, [_operation(entry) for entry in log]))
        for position, asked in directives:
            outcome.directives.append((position, [processes.restored(directive) for directive in asked]))
    if written is not None:  # behind what was printed, so it is only known to be some item's
        outcome.pieces.append((chunk.size - 1, written.rest()))
    chunk.returned(outcome, None)


def _operation(entry: tuple[str, str, bytes | None, float | None]) -> Operation:
    operation, key, data, expires = entry
    return operation, key, None if data is None else Packed(data, load_packed), expires
