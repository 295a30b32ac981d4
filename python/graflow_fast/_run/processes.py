"""Bodies in worker processes: submit attempts to the pool, apply what comes back, answer what workers ask.

Owns one run's use of a pool, and knows what a report means for the run; how it travels is the pool's affair, what
bodies are told is `sending`'s, and those that never report are `losses`'.
"""

from __future__ import annotations

import pickle
import struct
import time
from typing import TYPE_CHECKING, Any

from graflow_fast._core import MemberFeed, unpack_effects
from graflow_fast._pool.process_pool import CannotStart
from graflow_fast._pool.registry import checkin, checkout, discard
from graflow_fast._run import crossing
from graflow_fast._run.branches import Fork, unpacked_write
from graflow_fast._run.definitions import DefinitionTable
from graflow_fast._run.growth import Growth
from graflow_fast._run.live_output import INTERVAL, LiveOutput
from graflow_fast._run.losses import Losses
from graflow_fast._run.maps.batches import MAP_TICKETS
from graflow_fast._run.maps.places import report_chunk
from graflow_fast._run.packing import load_packed
from graflow_fast._run.requests import Requests
from graflow_fast._run.scope import clear_own, replay
from graflow_fast._run.sending import Sending
from graflow_fast._run.steps import PoolSteps
from graflow_fast._shared.segments import Gone, Spare
from graflow_fast._worker import effects
from graflow_fast.channels._packed import Packed
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    TaskSerializationError,
)

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run

REPORT, REQUEST, LOST, TIMEOUT = range(4)
FAILED, EFFECTS, DESCRIPTORS, SHARED, PLAIN_EFFECTS = 1, 2, 4, 8, 16

#: How far a task's writes to descriptors 1 and 2 go; at the end of its record if it made any.
_POSITIONS = struct.Struct("<qq")


class Processes:
    """One run's pool of worker processes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        run.settings.check_environment()
        self.pool = checkout(run.settings.resolved_workers())
        try:
            self._open()
        except BaseException as error:
            discard(self.pool)
            if isinstance(error, CannotStart):
                raise GraflowRuntimeError(str(error)) from error
            raise

    def _open(self) -> None:
        run = self.run
        self.core = self.pool.core
        if not self.pool.at_end:
            self.pool.at_end.append(Spare().give_up)
        self.table = DefinitionTable.of_pool(self.pool)
        self.table.epoch += 1
        self.requests = Requests(run, self)
        self.sending = Sending(run, self.core, self.table)
        self._outer = (crossing.here.find_key, crossing.here.find_definition)
        crossing.here.find_definition = self.table.find
        #: The short way for plain members, None when a tracer wants to hear of every task.
        self.feed: MemberFeed | None = None
        if run.silent and not run.parallel and run.settings.timeout is None and run.settings.memory_limit is None:
            self.feed = MemberFeed(
                run.scheduler,
                self.core,
                run.nodes.tasks,
                run.nodes.names,
                self._plan_of,
                self.sending.pack_plain,
                self._adopt,
            )
            if run.forgetting is None:
                self.feed.add_next_tasks(TaskWrapper, run.nodes.graph._tasks, run.nodes.ids, self.table.find)
        #: What shows output while bodies run, None when it comes in order.
        self.live_output = LiveOutput(self.pool, self.core) if run.live_output else None
        self.losses = Losses(self)
        self.growth = Growth(self.pool)
        #: The short way for plain steps of the workflow's own branch, None when the run is not plain.
        self.steps = PoolSteps(run, self) if PoolSteps.suits(run) else None

    # --- submitting

    def busy(self) -> bool:
        """Say whether a task is in the pool."""
        return self.core.backlog() > 0

    def has_room(self) -> bool:
        """Say whether the pool wants more tasks now."""
        return self.core.room() > 0

    def next(self, now: float) -> Any:
        """Return the scheduler's next action for the driver, when the pool has room; plain members don't reach it."""
        if self.feed is not None:
            return self.feed.feed(now)
        return self.run.scheduler.next(now) if self.has_room() else None

    def open_fork(self, fork: Fork) -> None:
        """Let the members of a group take the short way, if the group's place is the pool."""
        if self.feed is not None:
            around = self.run.nodes.names_added_around(fork.parent)
            self.feed.open(fork.first, fork.nodes, self.sending.fork_view(fork), around)
            fork.feed = self.feed

    def _plan_of(self, task: Any) -> tuple[tuple[int, ...], list[str], list[str] | None] | None:
        """Return of a task's definition its keys, required parameters and parameters looked up in the channel.

        The latter are None for a body that sees the whole channel. None when its members are not plain.
        """
        if not self.is_plain(task):
            return None
        definition = task._definition
        try:
            keys = self.table.keys_for(definition, task.task_id)
        except TaskSerializationError:
            return None
        names = [parameter.name for parameter in definition.parameters]
        looked_up = names if definition.resolve_keyword_args else []
        required = [parameter.name for parameter in definition.parameters if parameter.required]
        return keys, required, None if definition.inject_context else looked_up

    def _adopt(self, branch_id: int, log: list[Any], ran: list[str], added: list[int]) -> None:
        """Take over a branch whose tasks took the short way so far: what they wrote, which have run and were added."""
        branch = self.run.branches.branch(branch_id)
        replay([unpacked_write(write) for write in log], branch.channel, self.run.live)
        branch.context.cycle_controller.cycle_counts.update(dict.fromkeys(ran, 1))
        if added:
            self.run.nodes.note(added, branch.own_additions())

    def is_plain(self, task: Any) -> bool:
        """Say whether a task has no options that the short ways don't know."""
        if type(task) is not TaskWrapper or task.handler_type in self.run.handlers:
            return False
        definition = task._definition
        limited = definition.timeout is not None or definition.memory_limit is not None
        return definition.handler in (None, "process") and not limited

    def submit(self, attempt: Attempt) -> None:
        """Give an attempt to the pool; what can't be sent fails the attempt."""
        run = self.run
        task: Any = attempt.task
        definition = task._definition
        try:
            keys = self.table.keys_for(definition, attempt.task_id)
            bound = None
            if task._names:
                bound = self.sending.pack_bound(attempt.task_id, task._bound_kwargs, attempt.branch)
            extra = self.sending.extra(attempt, definition)
        except TaskSerializationError as error:
            run.attempts.running.pop(attempt.ticket, None)
            run.outcomes.failed(attempt, error)
            return
        view = self.sending.view(attempt.branch)
        held: list[Any] = []
        payload = crossing.pack((attempt.task_id, keys[0], view, bound, extra), held)
        if held:
            self.sending.hold(attempt.ticket, held)
        timeout = definition.timeout if definition.timeout is not None else run.settings.timeout
        memory_limit = definition.memory_limit if definition.memory_limit is not None else run.settings.memory_limit
        self.losses.limit_memory(attempt.ticket, memory_limit)
        attempt.started = time.time()
        self.core.submit(attempt.ticket, payload, (*keys, view), timeout)

    def forget_view(self, key: int) -> None:
        """Tell the workers that nothing names a view any more."""
        self.sending.forget_view(key)

    # --- what comes back

    def collect(self, timeout: float | None) -> None:
        """Wait for the pool to have news and apply all of it."""
        timeout = self.requests.earliest_deadline(self.losses.look_around(timeout))
        if self.live_output is not None:
            timeout = INTERVAL if timeout is None else min(timeout, INTERVAL)
        events: Any = self.core.poll(timeout) if self.feed is None else self.feed.collect(timeout)
        self.take_in(events)
        self.requests.expire()
        if self.live_output is not None:
            self.live_output.look()
        if self.losses.given_up:
            self.losses.kill_given_up(time.monotonic())
        self.growth.sometimes()

    def take_in(self, events: list[tuple[Any, ...]]) -> None:
        """Apply the pool's news."""
        for event in events:
            kind = event[0]
            if kind == REPORT:
                self._report(*event[1:])
            elif kind == REQUEST:
                self.requests.answer(event[1], event[2], event[3])
            elif kind == LOST:
                self.losses.lost(*event[1:])
            else:
                self.losses.timed_out(*event[1:])

    def _report(
        self, ticket: int, worker: int, flags: int, started: float, ended: float, result: bytes, record: bytes
    ) -> None:
        run = self.run
        attempt = run.attempts.take(ticket)
        killed = self.losses.reported(ticket)
        self.sending.release(ticket)
        if self.requests.locks:
            self.requests.release(ticket)
        positions = b""
        if flags & DESCRIPTORS:
            record, positions = record[: -_POSITIONS.size], record[-_POSITIONS.size :]
        # Also of a body that was given up, or it would be taken for the next one's.
        written = self.losses.last_output(worker, _POSITIONS.unpack(positions)) if positions else []
        if flags & PLAIN_EFFECTS:
            parts: Any = (*unpack_effects(record), None, None)
        else:
            parts = pickle.loads(record) if record else None
        if flags & SHARED:
            try:
                result = crossing.adopt(result)
                parts = crossing.adopt_all(parts)
            except Gone:
                # The worker ended before its memory could be opened here, so the report is worth nothing.
                if attempt is not None:
                    self.losses.unheard(attempt, worker)
                return
            except OSError as refusal:  # no descriptor is left, not even a spare one
                if attempt is not None:
                    self.losses.not_received(attempt, refusal)
                return
        if attempt is None:
            self.requests.journal.forget(ticket)
            return
        self.growth.after_task(worker, ended - started)
        if self.losses.deaths.streaks:
            self.losses.survived(attempt)
        if killed is not None:  # it ended while it was being stopped
            self.pool.kill(worker, grace=0.0)
            if ticket >= MAP_TICKETS:
                attempt.map.lost(attempt, killed)  # type: ignore[attr-defined]
            else:
                run.outcomes.failed(attempt, killed)
            self.requests.journal.forget(ticket)
            return
        if ticket >= MAP_TICKETS:
            report_chunk(self, attempt, flags, ended - started, result, parts, written)  # type: ignore[arg-type]
            self.requests.journal.forget(ticket)
            return
        offset = time.time() - time.monotonic()
        attempt.started, attempt.ended = started + offset, ended + offset
        if attempt.lease:
            attempt.lease = 0
            if written:
                attempt.branch.output.write(written)
            assert self.steps is not None
            if self.requests.journal.known:
                self.steps.ended(attempt, len(parts))
                self.requests.journal.forget(ticket)
            self.steps.apply(attempt, parts)
            return
        self.requests.journal.forget(ticket)
        if written:
            log, directives, pieces, error = parts or (None, None, None, None)
            parts = (log, directives, [*(pieces or ()), *written], error)
        self.apply_report(attempt, flags, result, parts)

    def apply_report(self, attempt: Attempt, flags: int, result: bytes, parts: Any) -> None:
        """Apply what a worker reports of one body: the flags, the result as bytes, the parts of the record or None."""
        run = self.run
        value = None if result == crossing.NONE_BYTES else Packed(result, load_packed)
        if parts is None:
            run.outcomes.returned(attempt, value, None)
            return
        log, directives, pieces, error = parts
        if self.live_output is not None:
            pieces = self.live_output.rest(attempt.ticket, pieces or [])
        if pieces:
            attempt.branch.output.write(pieces)
        try:
            if log:
                self.apply(attempt.branch.channel, log)
            if directives is not None:
                directives = [self._restored(item) for item in directives]
        except Exception as unloadable:
            run.outcomes.failed(attempt, TaskSerializationError(attempt.task_id, "what it wrote", "", unloadable))
            return
        if flags & FAILED:
            run.outcomes.failed(attempt, effects.unpack_error(attempt.task_id, error))
            return
        run.outcomes.returned(attempt, value, directives)

    def apply(self, channel: Any, log: list[tuple[str, str, bytes | None, float | None]]) -> None:
        """Do the writes that a worker logged."""
        # Loaded before anything is written: all of a log or nothing.
        added = {id(item): load_packed(item[2]) for item in log if item[0] in ("append", "prepend")}  # type: ignore[arg-type]
        live = self.run.live.keys
        for item in log:
            operation, key, data, expires = item
            if key in live:  # its value went to everybody when it became live
                continue
            ttl: Any = None if expires is None else max(0.0, expires - time.time())
            if operation == "set":
                channel.set(key, Packed(crossing.adopt(data), load_packed), ttl)  # type: ignore[arg-type]
            elif operation == "append":
                channel.append(key, added[id(item)], ttl)
            elif operation == "prepend":
                channel.prepend(key, added[id(item)], ttl)
            elif operation == "delete":
                channel.delete(key)
            else:
                clear_own(channel, self.run.live)

    def _restored(self, directive: tuple[Any, ...]) -> tuple[Any, ...]:
        kind = directive[0]
        if kind == "next":
            described = directive[1]
            if type(described) is tuple:
                return kind, self._restored_task(*described), directive[2]
            return kind, effects.restore(crossing.loads(described)), directive[2]
        if kind == "iterate":
            return (
                kind,
                directive[1],
                None if directive[2] is None else Packed(directive[2], load_packed),
            )
        if kind == "node":
            return kind, directive[1], crossing.loads(directive[2])
        return directive

    def _restored_task(self, key: int, name: str, bound: bytes | None) -> TaskWrapper:
        task = TaskWrapper(name, self.table.find(key), register_to_context=False)
        if bound is not None:
            task._bound_kwargs = crossing.loads(bound)
        return task

    # --- stopping

    def close(self, interrupted: bool = False) -> None:
        """Give the pool back; whatever is still running in it is stopped first.

        Args:
            interrupted: by Ctrl-C or the like; bodies are asked to end (SIGTERM) before they are made to.
        """
        try:
            for ticket in [] if self.feed is None else self.feed.tickets():
                self.run.attempts.find(ticket)
            self.losses.stop_all(interrupted)
            self.requests.close()
            self.sending.close()
            if self.feed is not None:
                self.feed.end()
            checkin(self.pool)
        except BaseException:  # a second Ctrl-C, or a pool that can't go on
            discard(self.pool)
            raise
        finally:
            crossing.here.find_key, crossing.here.find_definition = self._outer
