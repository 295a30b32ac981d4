"""Bodies in worker processes: submit attempts to the pool, take in what comes back, answer what workers ask.

Owns one run's use of a pool, and knows what a report says; how it travels is the pool's affair, what bodies are told is
`sending`'s, those that never report are `losses`', and what an outcome means is the attempt's.
"""

from __future__ import annotations

import pickle
import struct
import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from graflow_fast._actions import RUN
from graflow_fast._body.output import show
from graflow_fast._body.packing import load_packed
from graflow_fast._body.scope import clear_own, write
from graflow_fast._places.placement import PROCESS
from graflow_fast._places.process.definitions import DefinitionTable
from graflow_fast._places.process.feeding import Feeding
from graflow_fast._places.process.growth import Growth
from graflow_fast._places.process.items import PoolItems, report_chunk, report_failure
from graflow_fast._places.process.live_output import INTERVAL, LiveOutput
from graflow_fast._places.process.losses import Losses
from graflow_fast._places.process.program.modules import generation
from graflow_fast._places.process.requests import Requests
from graflow_fast._places.process.sending import Sending
from graflow_fast._places.process.slow import SlowBodies
from graflow_fast._places.tickets import MAP_TICKETS, is_chunk
from graflow_fast._pool.process_pool import LOST, OVERMEMORY, OVERTIME, REPORT, REQUEST, ProcessPool
from graflow_fast._pool.registry import checkin, discard
from graflow_fast._pool.starting import CannotStart
from graflow_fast._wire import crossing, effects
from graflow_fast._wire.shared.memory_files import Gone
from graflow_fast._wire.shared.segments import Spare
from graflow_fast.channels._packed import Packed
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast._actions import Action
    from graflow_fast._places.attempt import Chunk, Fork, Map, TaskAttempt
    from graflow_fast._places.host import PoolHost
    from graflow_fast._pool.written import Written
    from graflow_fast.channels.base import Channel

FAILED, EFFECTS, DESCRIPTORS, SHARED = 1, 2, 4, 8

#: How far a task's writes to descriptors 1 and 2 go; at the end of its record if it made any.
_POSITIONS = struct.Struct("<qq")


#: With which modules the workers of a pool were started.
_generations: WeakKeyDictionary[ProcessPool, int] = WeakKeyDictionary()


class Processes:
    """One run's pool of worker processes."""

    def __init__(self, host: PoolHost) -> None:
        self.host = host
        host.settings.check_environment()
        self.pool = host.settings.checkout()
        try:
            self._open()
        except BaseException as error:
            discard(self.pool)
            if isinstance(error, CannotStart):
                raise GraflowRuntimeError(str(error)) from error
            raise

    def _open(self) -> None:
        host = self.host
        self.core = self.pool.core
        self._replace_outdated()
        if not self.pool.at_end:
            self.pool.at_end.append(Spare().give_up)
        self.table = DefinitionTable.of_pool(self.pool)
        self.table.epoch += 1
        host.bodies.definitions = self.table
        self.requests = Requests(host, self)
        self.sending = Sending(host, self.core, self.table)
        #: What shows output while bodies run, None when it comes in order.
        self.live_output = LiveOutput(self.pool, self.core) if host.live_output else None
        #: What tells of bodies that take too long, None when nobody listens.
        self.slow = None
        if host.log is not None and host.log.hears_warnings():
            self.slow = SlowBodies(host.log, host.attempts, self.core)
        self.losses = Losses(self)
        self.growth = Growth(self.pool)
        self._feeding = Feeding(self)
        #: The way of tasks to the pool and of their effects back.
        self.feed = self._feeding.feed
        host.attempts.sources.append(self.feed)
        self._epoch = self.table.epoch
        #: The scheduler's next action, if it was met while the pool was waited for.
        self._met: Action | None = None
        for fork in host.branches.forks():
            self._look_at_limits(fork)
            if fork.begins_again:
                self._watch(fork)

    def _replace_outdated(self) -> None:
        """Have workers end that may have imported a module which the program has loaded anew since."""
        now = generation()
        if _generations.get(self.pool, now) != now:
            for worker in self.core.workers():
                self.pool.recycle(worker)
        _generations[self.pool] = now

    # --- submitting

    def busy(self) -> bool:
        """Say whether a task is in the pool."""
        return self.core.backlog() > 0 or bool(self.requests.postponed)

    def is_full(self) -> bool:
        """Say whether the pool wants no more tasks now."""
        return self.core.room() <= 0

    def next(self, now: float) -> Action | None:
        """Return the scheduler's next action for the driver; attempts that run in the pool don't reach it."""
        if self._met is not None:
            met, self._met = self._met, None
            return met
        if self.requests.postponed:
            self.take_in(self.requests.take_postponed())
        self._renew()
        return self.feed.feed(now)

    def start(self, action: Action) -> bool:
        """Start the attempt that an action asks for, if it runs in the pool; say whether it does."""
        self._renew()
        return self.feed.start(action)

    def submit(self, attempt: TaskAttempt) -> None:
        """Have a body run. Attempts that nobody has a record of yet come by `start`."""
        branch_id = attempt.branch.id
        action = RUN, attempt.ticket, attempt.node, branch_id, attempt.number, attempt.tag, attempt.cause
        taken = self.start(action)
        assert taken, f"the table of placement and the feed disagree about '{attempt.task_id}'"

    def for_map(self, owner: Map) -> PoolItems:
        """Return where the items of a map run here."""
        return PoolItems(self, owner)

    def give_up(self, ticket: int) -> bool:
        """Stop an attempt whose outcome no longer matters."""
        self.losses.give_up(ticket)
        return True

    def wake(self, descriptor: int) -> None:
        """Nothing to do: this is where the driver waits, and where others wake it."""

    def _renew(self) -> None:
        """Let the feed ask for keys anew when user code may have run here since, which functions may capture."""
        if self.table.epoch != self._epoch:
            self._epoch = self.table.epoch
            self.feed.renew()

    def open_fork(self, fork: Fork) -> None:
        """Let the members of a group be fed."""
        in_pool = None if fork.placement is None else fork.placement == PROCESS
        view = self.sending.fork_view(fork) if self.host.placement.members_in_pool(fork.placement) else 0
        self.feed.open(fork.first, len(fork.nodes), (view, in_pool), fork.names_around())
        self._renew()
        self._look_at_limits(fork)
        if fork.begins_again:
            self._watch(fork)

    def end_fork(self, fork: Fork) -> None:
        """Tell the workers that nothing names the view of a group any more."""
        self.feed.close(fork.first)
        if fork.view is not None:
            self.sending.forget_view(fork.view)

    def _look_at_limits(self, fork: Fork) -> None:
        """Let the scheduler see to the limits of tasks that may run elsewhere, too: in a group that says so."""
        if fork.placement not in (None, PROCESS):
            self.feed.keep_limits()

    def _watch(self, fork: Fork) -> None:
        """Have the driver see each attempt of a group that begins again: some have ended before."""
        self.feed.watch(fork.first, fork.first + len(fork.nodes))

    # --- what comes back

    def collect(self, timeout: float | None, alone: bool = False) -> bool:
        """Wait for the pool to have news and apply all of it; ``alone``: go on until somebody else is needed."""
        timeout = self.requests.earliest_deadline(self.losses.look_around(timeout))
        if self.live_output is not None:
            timeout = INTERVAL if timeout is None else min(timeout, INTERVAL)
        if self.slow is not None:
            timeout = self.slow.patience(timeout)
        if alone:
            self._renew()
            events, self._met = self.feed.drive(self.growth.patience(timeout))
        else:
            events = self.feed.collect(timeout)
        self.take_in(events)
        self.requests.expire()
        if self.live_output is not None:
            self.live_output.look()
        if self.slow is not None:
            self.slow.look()
        if self.losses.given_up:
            self.losses.kill_given_up(time.monotonic())
        self.growth.sometimes()
        if self.pool.has_failed:
            self.losses.refill()
        return True

    @staticmethod
    def clock_offset() -> float:
        """Return what to add to the monotonic clock for seconds since the epoch."""
        return time.time() - time.monotonic()

    def take_in(self, events: list[tuple[Any, ...]]) -> None:
        """Apply the pool's news."""
        for event in events:
            kind = event[0]
            if kind == REPORT:
                self._report(*event[1:])
            elif kind == REQUEST:
                self.requests.answer(event[1], event[2], event[3])
            elif kind == LOST:
                self.losses.lost(self.pool.lost(*event[1:]))
            elif kind == OVERTIME:
                self.losses.timed_out(*event[1:])
            elif kind == OVERMEMORY:
                self.losses.over_memory(*event[1:])
            else:
                self.pool.grow(event[1])

    def _report(
        self, ticket: int, worker: int, flags: int, started: float, ended: float, result: bytes, record: bytes
    ) -> None:
        attempts = self.host.attempts
        attempt = attempts.take(ticket) if ticket >= MAP_TICKETS else attempts.find(ticket)
        killed = self.losses.reported(ticket)
        self.sending.release(ticket)
        if self.requests.locks:
            self.requests.release(ticket)
        positions = b""
        if flags & DESCRIPTORS:
            record, positions = record[: -_POSITIONS.size], record[-_POSITIONS.size :]
        # Also of a body that was given up, or it would be taken for the next one's.
        written = self.pool.written_by(worker, _POSITIONS.unpack(positions)) if positions else None
        if attempt is None:
            self.requests.journal.forget(ticket)
            return
        self.growth.after_task(worker, ended - started)
        self.host.scheduler.ran(ticket, worker, started, ended)
        try:
            if killed is not None:  # it ended while it was being stopped
                self.pool.kill(worker, grace=0.0)
                self.losses.fail(attempt, killed)
            elif is_chunk(attempt):
                self._report_chunk(attempt, flags, ended - started, result, record, written)
            else:
                self.feed.apply(ticket, flags, (started, ended), result, record, written)
        except Gone:
            # The worker ended before its memory could be opened here, so the report is worth nothing.
            self.losses.unheard(attempt, worker)
            return
        except OSError as refusal:  # no descriptor is left, not even a spare one
            if not flags & SHARED:
                raise
            self.losses.not_received(attempt, refusal)
            return
        if self.losses.deaths.streaks:
            self.losses.survived(attempt)
        self.requests.journal.forget(ticket)

    def _report_chunk(
        self, chunk: Chunk, flags: int, seconds: float, result: bytes, record: bytes, written: Written | None
    ) -> None:
        """Take in what a worker reports of a chunk of a map."""
        if flags & SHARED:
            result = crossing.adopt(result)
        if flags & FAILED:
            report_failure(self, chunk, record, written)
            return
        parts = pickle.loads(record) if record else None
        if flags & SHARED:
            parts = crossing.adopt_all(parts)
        report_chunk(self, chunk, seconds, result, parts, written)

    def apply(self, channel: Channel, log: list[tuple[str, str, bytes | None, float | None]]) -> None:
        """Do the writes that a worker logged."""
        # Loaded before anything is written: all of a log or nothing.
        added = {id(item): load_packed(item[2]) for item in log if item[0] in ("append", "prepend")}  # type: ignore[arg-type]
        live = self.host.live.keys
        for item in log:
            operation, key, data, expires = item
            if key in live:  # its value went to everybody when it became live
                continue
            if operation == "clear":
                clear_own(channel, live)
            else:
                value = Packed(crossing.adopt(data), load_packed) if operation == "set" else added.get(id(item))  # type: ignore[arg-type]
                write(channel, operation, key, value, expires)

    def restored(self, directive: Any) -> tuple[Any, ...]:
        """Return one thing that a body asked for as `TaskExecutionContext.directives` has it."""
        if type(directive) is bytes:
            directive = pickle.loads(directive)
        kind: str = directive[0]
        if kind == "next":
            described = directive[1]
            if type(described) is tuple:
                return kind, self._restored_task(*described), directive[2]
            return kind, effects.restore(crossing.loads(described)), directive[2]
        if kind == "iterate":
            data = directive[2]
            return kind, directive[1], None if data is None else Packed(crossing.adopt(data), load_packed)
        if kind == "node":
            return kind, directive[1], crossing.loads(directive[2])
        return tuple(directive)

    def _restored_task(self, key: int, name: str, bound: bytes | None) -> TaskWrapper:
        task = TaskWrapper(name, self.table.find(key), register_to_context=False)
        if bound is not None:
            task._bound_kwargs = crossing.loads(bound)
        return task

    # --- stopping

    def _show_rest(self) -> None:
        """Show what subprocesses wrote after the bodies that started them had ended."""
        for worker in self.core.workers():
            for piece in self.pool.written_by(worker).rest():
                show(piece)

    def close(self, interrupted: bool = False) -> None:
        """Give the pool back; whatever is still running in it is stopped first.

        Args:
            interrupted: by Ctrl-C or the like; bodies are asked to end (SIGTERM) before they are made to.
        """
        try:
            for ticket in self.feed.tickets():
                self.host.attempts.find(ticket)
            self.losses.stop_all(interrupted)
            if not self.losses.gave_up:
                self._show_rest()
            self.requests.close()
            self.sending.close()
            self.feed.end()
            checkin(self.pool)
        except BaseException:  # a second Ctrl-C, or a pool that can't go on
            discard(self.pool)
            raise
