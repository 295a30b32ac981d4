"""Bodies in worker processes: submit attempts to the pool, apply what comes back, answer what workers ask.

Owns one run's use of a pool. It knows what a report means for the run; how it travels is the pool's affair.
"""

from __future__ import annotations

import pickle
import struct
import time
from typing import TYPE_CHECKING, Any

from graflow_fast._core import MemberFeed, by_definition
from graflow_fast._pool.process_pool import CannotStart
from graflow_fast._pool.registry import checkin, checkout, discard
from graflow_fast._run import crossing
from graflow_fast._run.arguments import NOTHING
from graflow_fast._run.branches import Branch, Fork
from graflow_fast._run.crashes import crash_report, most_deaths, without_own_frames
from graflow_fast._run.definitions import DefinitionTable
from graflow_fast._run.growth import Growth
from graflow_fast._run.lease import Leases
from graflow_fast._run.live_output import INTERVAL, LiveOutput
from graflow_fast._run.map_places import report_chunk
from graflow_fast._run.mapping import MAP_TICKETS
from graflow_fast._run.output import STDERR, STDOUT, Piece
from graflow_fast._run.packing import load_packed, packed_value
from graflow_fast._run.requests import Requests
from graflow_fast._run.serialization import explain_unpicklable
from graflow_fast._shared.segments import Gone, Spare
from graflow_fast._shared.values import Copies
from graflow_fast._worker import effects
from graflow_fast.channels._packed import Packed
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    TaskMemoryError,
    TaskSerializationError,
    TaskTimeoutError,
)

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run

REPORT, REQUEST, LOST, TIMEOUT = range(4)
FAILED, EFFECTS, DESCRIPTORS, SHARED = 1, 2, 4, 8

#: Seconds before a task whose worker died runs again, times its deaths: not the first task of the next young worker.
_QUARANTINE = 0.02

_MEMORY_INTERVAL = 0.05

#: How far a task's writes to descriptors 1 and 2 go; at the end of its record if it made any.
_POSITIONS = struct.Struct("<qq")

#: Seconds for an attempt that was given up to end by itself: shorter than starting another worker takes.
_PATIENCE = 0.005

#: Seconds between asking a worker to end and making it: when its task is over its time, when the run is interrupted.
_GRACE = 0.5
_GRACE_WHEN_INTERRUPTED = 0.3


class Processes:
    """One run's pool of worker processes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        run.settings.check_environment()
        self.pool = checkout(run.settings.resolved_workers())
        try:
            import graflow_fast._run.pickling  # noqa: F401  # slow, so while the workers start: _open waits for them

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
        self._outer = (crossing.here.find_key, crossing.here.find_definition)
        crossing.here.find_definition = self.table.find
        #: The short way for plain members, None when a tracer wants to hear of every task.
        self.feed: MemberFeed | None = None
        if run.silent and not run.parallel and run.settings.timeout is None and run.settings.memory_limit is None:
            self.feed = MemberFeed(
                run.scheduler, self.core, run.nodes.tasks, run.nodes.names, self._plan_of, self._pack_plain
            )
        counted = run.context.max_steps is not None  # then no step may be run before its turn is sure
        #: What shows output while bodies run, None when it comes in order.
        self.live_output = LiveOutput(self.pool, self.core) if run.settings.output == "live" else None
        alone = self.feed is None or counted or self.live_output is not None
        self.leases = None if alone else Leases(run, self)
        self._root_view: int | None = None
        #: The views that workers were told of, with the shared memory that each names.
        self._views: dict[int, list[Any]] = {}
        #: By ticket: the shared memory that a running attempt may still ask for.
        self._held: dict[int, list[Any]] = {}
        self.copies = Copies()
        #: Arguments that kept a member from the short way, as bytes: the driver asks for them next.
        self._refused: tuple[dict[str, Any], bytes] | None = None
        self._bodies_seen = 0
        self._deaths: dict[tuple[int, int], int] = {}
        self._killed_for: dict[int, BaseException] = {}
        self._memory_limits: dict[int, int] = {}
        #: Attempts whose outcome no longer matters, and until when they may end by themselves.
        self._given_up: dict[int, float] = {}
        self._next_memory_check = 0.0
        #: Workers that were killed for a task's sake; another task may have begun there meanwhile.
        self._killed_workers: set[int] = set()
        self._growth = Growth(self.pool)

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
            self.feed.open(fork.first, fork.nodes, self._fork_view(fork))
            fork.feed = self.feed

    def _plan_of(self, task: Any) -> tuple[tuple[int, ...], list[str]] | None:
        """Return the keys and required parameters of a task's definition, None when its members are not plain."""
        if not self.is_plain(task):
            return None
        definition = task._definition
        try:
            keys = self.table.keys_for(definition, task.task_id)
        except TaskSerializationError:
            return None
        return keys, [parameter.name for parameter in definition.parameters if parameter.required]

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
            if task._bound_kwargs:
                bound = self.pack_bound(attempt.task_id, task._bound_kwargs, attempt.branch)
            extra = self._extra(attempt, definition)
            lease = None if self.leases is None else self.leases.plan(attempt)
            if lease is not None:
                steps, more = lease
                keys = (*keys, *more.difference(keys))
                extra = {**(extra or {}), "lease": steps}
                attempt.lease = len(steps) + 1
        except TaskSerializationError as error:
            run.running.pop(attempt.ticket, None)
            run.failed(attempt, error)
            return
        view = self._view(attempt.branch)
        held: list[Any] = []
        payload = crossing.pack((attempt.task_id, keys[0], view, bound, extra), held)
        if held:
            self.hold(attempt.ticket, held)
        timeout = definition.timeout if definition.timeout is not None else run.settings.timeout
        memory_limit = definition.memory_limit if definition.memory_limit is not None else run.settings.memory_limit
        if memory_limit is not None:
            self._memory_limits[attempt.ticket] = memory_limit
        attempt.started = time.time()
        self.core.submit(attempt.ticket, payload, (*keys, view), timeout)

    def copies_for(self, branch: Branch | None) -> Copies:
        """Return the buffers that need not be sent again, none if code of the user may have changed them."""
        sequential = branch is not None and branch.fork is None and not self.run.parallel
        if self.copies and (sequential or self._bodies_seen != self.run.bodies_here):
            self.copies.clear()
        self._bodies_seen = self.run.bodies_here
        return self.copies

    def hold(self, ticket: int, held: list[Any]) -> None:
        """Hold shared memory for as long as an attempt is running that was told of it."""
        self._held.setdefault(ticket, []).extend(held)

    def _pack_plain(self, bound: dict[str, Any]) -> bytes:
        """Pack a plain member's arguments; with arguments in shared memory, which must be held, it is not plain."""
        data = crossing.dumps(bound, self.copies_for(None))
        if data[0] == crossing.SHARED_MARK:
            self._refused = (bound, data)
            raise _NotPlain
        return data

    def pack_bound(self, task_id: str, bound: dict[str, Any], branch: Branch) -> bytes:
        if self._refused is not None:
            (refused, data), self._refused = self._refused, None
            if refused is bound:
                return data
        try:
            return crossing.dumps(bound, self.copies_for(branch))
        except Exception as error:
            from graflow_fast._run.pickling import try_to_dump

            for name, value in bound.items():
                try:
                    try_to_dump(value)
                except Exception as inner:
                    raise explain_unpicklable(task_id, f"argument '{name}'", value, inner, name) from inner
            raise explain_unpicklable(task_id, "arguments", bound, error) from error

    def _extra(self, attempt: Attempt, definition: Any) -> dict[str, Any] | None:
        """Return what a worker must know beyond the plain case, None in the plain case."""
        if not definition.inject_context and not definition.parameters:
            return None
        branch = attempt.branch
        extra: dict[str, Any] = {}
        if attempt.task_id is not attempt.base_id:
            extra["base"] = attempt.base_id
        if attempt.call is not NOTHING and attempt.call is not None:
            extra["call"] = attempt.call.data if type(attempt.call) is Packed else crossing.dumps(attempt.call)
        context = branch._context
        if context is not None:
            cycles = context.cycle_controller
            count = cycles.get_cycle_count(attempt.base_id)
            if count > 1:
                extra["cycles"] = count
            if attempt.number:
                extra["retries"] = attempt.number
        if branch.fork is None:
            extra["group_count"] = self.run.group_count
            extra["values"] = self._declared(branch, definition)
        else:
            if attempt.task_id != branch.fork.member_name(branch.index):
                extra["member"] = branch.fork.member_name(branch.index)
            if branch.log():
                extra["values"] = self._declared(branch, definition)
        self._add_previous(attempt, definition, extra)
        return extra or None

    def _add_previous(self, attempt: Attempt, definition: Any, extra: dict[str, Any]) -> None:
        if attempt.cause < 0 or not any(parameter.required for parameter in definition.parameters):
            return
        if self.run.nodes.tasks[attempt.cause].is_group:
            return
        packed = packed_value(attempt.branch.channel, f"{self.run.nodes.names[attempt.cause]}.__result__", self.copies)
        if packed is not None:
            extra["previous"] = packed

    def _declared(self, branch: Branch, definition: Any) -> dict[str, bytes | None]:
        """Return the channel's values for the parameters of a body, as bytes."""
        if not definition.resolve_keyword_args:
            return {}
        values: dict[str, bytes | None] = {}
        for parameter in definition.parameters:
            for key in (parameter.result_key, parameter.name):
                values[key] = packed_value(branch.channel, key, self.copies)
        return values

    def _view(self, branch: Branch) -> int:
        fork = branch.fork
        if fork is None:
            if self._root_view is None:
                self._root_view = self._define_view(self.run.context, False, {})
            return self._root_view
        return self._fork_view(fork)

    def _fork_view(self, fork: Fork) -> int:
        if fork.view is None:
            self.copies.clear()
            fork.view = self._define_view(fork.parent.context, True, self._fork_values(fork))
        return fork.view

    def _fork_values(self, fork: Fork) -> dict[str, bytes | None]:
        """Return the values that the members declare, to be sent once to each worker."""
        values: dict[str, bytes | None] = {}
        for member in by_definition(fork.group.tasks, TaskWrapper):
            if isinstance(member, TaskWrapper):
                values.update(self._declared(fork.parent, member._definition))
        return values

    def _define_view(self, context: Any, shared: bool, values: dict[str, bytes | None]) -> int:
        key: int = next(self.table.keys)
        content = (
            shared,
            context.session_id,
            context.trace_id,
            context.scope_name,
            context.cycle_controller.default_max_cycles,
            context.default_max_retries,
            self.run.settings.seed,
            values,
        )
        held: list[Any] = []
        self.core.define(key, crossing.pack(content, held))
        self._views[key] = held
        # User code may have run since the last fork, so captured state is looked at again.
        self.table.epoch += 1
        return key

    def forget_view(self, key: int) -> None:
        """Tell the workers that nothing names a view any more."""
        del self._views[key]
        self.copies.clear()
        self.core.forget(key)

    # --- what comes back

    def collect(self, timeout: float | None) -> None:
        """Wait for the pool to have news and apply all of it."""
        if self._memory_limits:
            timeout = _MEMORY_INTERVAL if timeout is None else min(timeout, _MEMORY_INTERVAL)
            self._check_memory()
        timeout = self.requests.earliest_deadline(timeout)
        if self._given_up:
            timeout = _PATIENCE if timeout is None else min(timeout, _PATIENCE)
        if self.live_output is not None:
            timeout = INTERVAL if timeout is None else min(timeout, INTERVAL)
        events: Any = self.core.poll(timeout) if self.feed is None else self.feed.collect(timeout)
        for event in events:
            kind = event[0]
            if kind == REPORT:
                self._report(*event[1:])
            elif kind == REQUEST:
                self.requests.answer(event[1], event[2], event[3])
            elif kind == LOST:
                self._lost(*event[1:])
            else:
                self._timed_out(*event[1:])
        self.requests.expire()
        if self.live_output is not None:
            self.live_output.look()
        if self._given_up:
            self._kill_given_up(time.monotonic())
        self._growth.sometimes()

    def _report(
        self, ticket: int, worker: int, flags: int, started: float, ended: float, result: bytes, record: bytes
    ) -> None:
        run = self.run
        self._memory_limits.pop(ticket, None)
        attempt = run.take(ticket)
        if self._held:
            self._held.pop(ticket, None)
        if self.requests.locks:
            self.requests.release(ticket)
        positions = b""
        if flags & DESCRIPTORS:
            record, positions = record[: -_POSITIONS.size], record[-_POSITIONS.size :]
        parts = pickle.loads(record) if record else None
        if flags & SHARED:
            try:
                result = crossing.adopt(result)
                parts = crossing.adopt_all(parts)
            except Gone:
                # The worker ended before its memory could be opened here, so the report is worth nothing.
                if attempt is not None:
                    self._run_again(attempt, worker)
                return
            except OSError as refusal:  # no descriptor is left, not even a spare one
                if attempt is not None:
                    self._not_received(attempt, refusal)
                return
        if attempt is None:
            return
        self._growth.after_task(worker, ended - started)
        killed = self._killed_for.pop(ticket, None)
        if killed is not None:  # it ended while it was being stopped
            self.pool.kill(worker, grace=0.0)
            if ticket >= MAP_TICKETS:
                attempt.map.lost(attempt, killed)  # type: ignore[attr-defined]
            else:
                run.failed(attempt, killed)
            return
        written = self._last_output(worker, _POSITIONS.unpack(positions)) if positions else []
        if ticket >= MAP_TICKETS:
            report_chunk(self, attempt, flags, ended - started, result, parts, written)  # type: ignore[arg-type]
            return
        offset = time.time() - time.monotonic()
        attempt.started, attempt.ended = started + offset, ended + offset
        if attempt.lease:
            attempt.lease = 0
            if written:
                attempt.branch.output.write(written)
            assert self.leases is not None
            self.leases.apply(attempt, parts)  # type: ignore[arg-type]
            return
        if written:
            log, directives, pieces, error = parts or (None, None, None, None)
            parts = (log, directives, [*(pieces or ()), *written], error)
        self.apply_report(attempt, flags, result, parts)

    def apply_report(self, attempt: Attempt, flags: int, result: bytes, parts: Any) -> None:
        """Apply what a worker reports of one body: the flags, the result as bytes, the parts of the record or None."""
        run = self.run
        value = None if result == crossing.NONE_BYTES else Packed(result, load_packed)
        if parts is None:
            run.reported(attempt, value, None)
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
            run.failed(attempt, TaskSerializationError(attempt.task_id, "what it wrote", "", unloadable))
            return
        if flags & FAILED:
            run.failed(attempt, effects.unpack_error(attempt.task_id, error))
            return
        run.reported(attempt, value, directives)

    def apply(self, channel: Any, log: list[tuple[str, str, bytes | None, float | None]]) -> None:
        """Do the writes that a worker logged."""
        # Loaded before anything is written: all of a log or nothing.
        added = {id(item): load_packed(item[2]) for item in log if item[0] in ("append", "prepend")}  # type: ignore[arg-type]
        for item in log:
            operation, key, data, expires = item
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
                channel.clear()

    def _restored(self, directive: tuple[Any, ...]) -> tuple[Any, ...]:
        kind = directive[0]
        if kind == "next":
            return kind, effects.restore(crossing.loads(directive[1])), directive[2]
        if kind == "iterate":
            return (
                kind,
                directive[1],
                None if directive[2] is None else Packed(directive[2], load_packed),
            )
        return directive

    # --- deaths and limits

    def _lost(self, ticket: int, worker: int, pid: int, why: str) -> None:
        if ticket < 0:
            self._refill()
            return
        info = self.pool.exit_info(pid)
        pieces, _ = self.pool.pieces_of(worker, ticket)
        if self.live_output is not None:
            pieces = self.live_output.rest(ticket, pieces)
        pieces = without_own_frames(pieces + self._last_output(worker))
        self._refill()
        self._held.pop(ticket, None)
        self.requests.release(ticket)
        self._memory_limits.pop(ticket, None)
        attempt = self.run.take(ticket)
        if attempt is None:
            return
        error: Any = self._killed_for.pop(ticket, None)
        if ticket >= MAP_TICKETS:
            self._lost_chunk(attempt, info, why, pieces, error)
            return
        if attempt.lease and error is None:
            # Nothing of it has been applied, so it is repeated from its first step, one step at a time.
            assert self.leases is not None
            self.leases.lost(attempt.lease)
            attempt.lease = 0
            self.run.running[ticket] = attempt
            self.submit(attempt)
            return
        attempt.branch.output.write(pieces)
        if error is None and worker in self._killed_workers:
            self.run.scheduler.fail(ticket, 0.0, time.monotonic())  # it was not meant: again, free of charge
            return
        if error is None:
            where = (attempt.branch.id, attempt.node)
            self._deaths[where] = self._deaths.get(where, 0) + 1
            deaths = self._deaths[where]
            poison = deaths >= most_deaths(info)
            error = crash_report(attempt.task_id, attempt.number + 1, info, why, pieces, deaths if poison else 0)
            if poison:
                self.run.failed_for_good(attempt, error)
            else:
                self.run.failed(attempt, error, _QUARANTINE * self._deaths[where])
            return
        self.run.failed(attempt, error)

    def _refill(self) -> None:
        try:
            self.pool.refill()
        except CannotStart as error:
            raise GraflowRuntimeError(str(error)) from error

    def _run_again(self, attempt: Attempt, worker: int) -> None:
        """Have a body run anew whose worker ended with its result: no fault of the body, so it is not counted."""
        info = self.pool.exit_info(self.pool.pid(worker))
        if attempt.ticket >= MAP_TICKETS:
            self._lost_chunk(attempt, info, "with its results", [], None)
            return
        where = (attempt.branch.id, attempt.node)
        self._deaths[where] = self._deaths.get(where, 0) + 1
        again = 0.0 if self._deaths[where] < most_deaths(info) else None
        if again is None:
            attempt.branch.failure = crash_report(attempt.task_id, attempt.number + 1, info, "with its result", [])
        self.run.scheduler.fail(attempt.ticket, again, time.monotonic())

    def _not_received(self, attempt: Attempt, error: OSError) -> None:
        """Fail an attempt whose result is there, but can't be taken in."""
        failure = TaskSerializationError(attempt.task_id, "the result", "", error)
        if attempt.ticket >= MAP_TICKETS:
            attempt.map.lost(attempt, failure)  # type: ignore[attr-defined]
        else:
            self.run.failed(attempt, failure)

    def _lost_chunk(self, chunk: Any, info: Any, why: str, pieces: list[Piece], error: BaseException | None) -> None:
        if pieces and chunk.size == 1:
            chunk.batch.pieces.append((chunk.position, pieces))
        chunk.map.lost(chunk, error or crash_report(chunk.task_id, chunk.number + 1, info, why, pieces))

    def _timed_out(self, ticket: int, worker: int, seconds: float) -> None:
        attempt = self.run.running.get(ticket)
        if attempt is None or ticket in self._killed_for:
            return
        definition = attempt.task._definition  # type: ignore[attr-defined]
        limit = definition.timeout if definition.timeout is not None else self.run.settings.timeout
        self._killed_for[ticket] = TaskTimeoutError(attempt.task_id, attempt.number + 1, limit)
        self._killed_workers.add(worker)
        self.pool.kill(worker, grace=_GRACE)

    def _last_output(self, worker: int, until: tuple[int, int] | None = None) -> list[Piece]:
        """Return what a worker wrote to its descriptors, around Python or before it died."""
        out, err = self.pool.drain_output(worker, until)
        written = ((STDOUT, out), (STDERR, err))
        return [(kind, data.decode(errors="replace")) for kind, data in written if data]

    def _check_memory(self) -> None:
        now = time.monotonic()
        if now < self._next_memory_check:
            return
        self._next_memory_check = now + _MEMORY_INTERVAL
        for ticket, limit in list(self._memory_limits.items()):
            worker = self.core.running_on(ticket)
            if worker < 0 or ticket in self._killed_for:
                continue
            used = self.pool.worker_rss(worker)
            attempt = self.run.running.get(ticket)
            if used > limit and attempt is not None:
                self._killed_for[ticket] = TaskMemoryError(attempt.task_id, attempt.number + 1, limit, used)
                self._killed_workers.add(worker)
                self.pool.kill(worker, grace=0.0)

    # --- stopping

    def abandon(self, attempt: Attempt) -> None:
        """Stop an attempt whose outcome no longer matters."""
        ticket = attempt.ticket
        self._memory_limits.pop(ticket, None)
        self._held.pop(ticket, None)
        self.requests.release(ticket)
        if self.core.cancel(ticket) == 2:
            self._given_up[ticket] = time.monotonic() + _PATIENCE

    def _kill_given_up(self, now: float, grace: float = 0.0) -> None:
        """Kill the workers of attempts that were given up and have not ended by themselves in time."""
        for ticket, deadline in list(self._given_up.items()):
            worker = self.core.running_on(ticket)
            if worker >= 0 and now < deadline:
                continue
            del self._given_up[ticket]
            if worker >= 0:
                self._killed_workers.add(worker)
                self.pool.kill(worker, grace)

    def close(self, interrupted: bool = False) -> None:
        """Give the pool back; whatever is still running in it is stopped first.

        Args:
            interrupted: by Ctrl-C or the like; bodies are asked to end (SIGTERM) before they are made to.
        """
        try:
            self._stop_bodies(_GRACE_WHEN_INTERRUPTED if interrupted else 0.0)
            self.requests.close()
            for key in list(self._views):
                self.core.forget(key)
            if self.feed is not None:
                self.feed.end()
            checkin(self.pool)
        except BaseException:  # a second Ctrl-C, or a pool that can't go on
            discard(self.pool)
            raise
        finally:
            self._held.clear()
            self.copies.clear()
            crossing.here.find_key, crossing.here.find_definition = self._outer

    def _stop_bodies(self, grace: float) -> None:
        for ticket in [] if self.feed is None else self.feed.tickets():
            self.run.attempt(ticket)
        for attempt in list(self.run.running.values()):
            self.abandon(attempt)
        self.run.running.clear()
        while self._given_up:
            self._kill_given_up(time.monotonic(), grace)
            if self._given_up:
                self.core.poll(_PATIENCE)


class _NotPlain(Exception):
    """A member can't take the short way."""
