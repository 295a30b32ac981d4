"""What the feed (in Rust) asks of Python: keys, views and values that it can't read itself, policies, tags, output.

Owns the answers of one run. How attempts are sent and their effects applied is `rust/python/src/driver`'s; what a
failure or a directive means is the run's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.limits import apply_limits, limits_set_by_hand, note_limits
from graflow_fast._body.output import show_all
from graflow_fast._body.packing import packed_value
from graflow_fast._core import Feed
from graflow_fast._places.placement import PROCESS
from graflow_fast._wire import crossing, effects
from graflow_fast.channels._packed import Packed
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import TaskSerializationError

if TYPE_CHECKING:
    from graflow_fast._places.attempt import Attempt, Branch
    from graflow_fast._places.host import PoolHost
    from graflow_fast._places.process.processes import Processes
    from graflow_fast._pool.written import Written
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.definition import Definition


class DefaultParts:
    """What holds for definitions that say nothing; see `rust/python/src/driver/plans.rs`."""

    def __init__(self, host: PoolHost) -> None:
        executor, settings = host.placement.executor, host.settings
        self.root_in_pool = executor == PROCESS or (
            executor == "auto" and (host.parallel or host.placement.default_limits)
        )
        self.members_in_pool = executor in ("auto", PROCESS)
        self.limits_in_pool = executor == "auto"
        self.has_handlers = bool(host.handlers)
        self.timeout = settings.timeout
        self.memory_limit = settings.memory_limit


class FeedParts:
    """What a feed is made of; see `rust/python/src/driver/feed.rs`."""

    plain = TaskWrapper

    def __init__(self, host: PoolHost, processes: Processes) -> None:
        self.scheduler = host.scheduler
        self.pool = processes.core
        self.tasks = host.nodes.tasks
        self.names = host.nodes.names
        self.graph = host.nodes.graph._table
        self.ids = host.nodes.ids
        self.find = processes.table.find
        self.branches = host.branches.core
        self.settings = self
        self.defaults = DefaultParts(host)
        self.versions = host.versions
        self.listens = not host.silent
        self.forgets = not host.keeps_all or host.is_durable
        self.counts_pieces = host.live_output
        #: Whether members wait in workers beyond the `max_concurrency` of their task, since the pool sees to that. Not
        #: where the order of ends is written down, which has to be possible in any place.
        self.sends_ahead = not host.parallel and not host.is_durable and host.placement.members_in_pool(None)


class Feeding:
    """Answers the feed of one run."""

    def __init__(self, processes: Processes) -> None:
        #: Named so for the feed, which sets its last result.
        self.run = processes.host
        self._processes = processes
        self._sending = processes.sending
        self._nodes, self._tags = self.run.nodes, self.run.tags
        # What each iteration asks for, of whoever knows: what a tag means, for a new one, and that one has completed.
        self.tag, self.new_tag, self.drop_tag = self._tags.meaning, self._tags.new_tag, self._tags.drop
        self.mark_completed = self.run.context.mark_task_completed
        self.feed = Feed(FeedParts(self.run, processes), self)

    # --- where, and what is sent

    def keys_for(self, definition: Definition, task_id: str) -> tuple[int, ...]:
        """Return the keys of a definition and of all it names.

        Raises:
            TaskSerializationError: the function can't be sent.
        """
        return self._processes.table.keys_for(definition, task_id)

    def fixed_place(self, definition: Definition) -> bool | None:
        """Say whether a definition's tasks run in the pool whatever their group says; None to follow the group."""
        if (definition.handler or "direct") in self.run.handlers:
            return False
        return None if definition.handler is None else definition.handler == PROCESS

    def group_in_pool(self, branch_id: int) -> bool | None:
        """Say whether the group of a branch says that its members run in the pool."""
        placement = self.run.branches.branch(branch_id).placement
        return None if placement is None else placement == PROCESS

    def pack_bound(self, task_id: str, bound: dict[str, Any], in_root: bool) -> bytes:
        """Return bound arguments as bytes.

        Raises:
            TaskSerializationError: one of them can't be pickled.
        """
        return self._sending.pack_bound(task_id, bound, in_root)

    def packed_data(self, data: Any) -> bytes:
        """Return what an iteration is given as bytes."""
        return data.data if type(data) is Packed else crossing.dumps(data)

    def view(self, branch_id: int) -> int:
        """Return the key of what workers are told of the channel for a branch."""
        return self._sending.view(self._branch(branch_id))

    def member(self, branch_id: int) -> str | None:
        """Return the name of the member whose branch this is, None for the workflow's own branch."""
        branch = self._branch(branch_id)
        return None if branch.fork is None else branch.fork.member_name(branch.index)

    def value(self, ticket: int, branch_id: int, key: str) -> bytes | None:
        """Return what an attempt sees under a key, as bytes; None for nothing."""
        attempt = self.run.attempts.running.get(ticket)
        branch = self._branch(branch_id) if attempt is None else attempt.branch
        return packed_value(branch.channel, key, self._sending.copies)

    def root_value(self, key: str) -> bytes | None:
        """Return what the workflow's own channel has under a key, as bytes; None for nothing."""
        return packed_value(self.run.root.channel, key, self._sending.copies)

    def counts(self, branch_id: int, node: int, task_id: str) -> tuple[int, int | None, int | None]:
        """Return how often a task has started, and its limits of loops and retries that were set by hand."""
        nodes = self.run.nodes
        context, base = self._branch(branch_id).context, nodes.names[node]
        limits = limits_set_by_hand(context, nodes.tasks[node]._definition, task_id, base)  # type: ignore[attr-defined]
        cycles = context.cycle_controller.get_cycle_count(base)
        return cycles, limits.get("max_cycles"), limits.get("max_retries")

    @property
    def group_count(self) -> int:
        """How many groups without a name the workflow has made."""
        return self.run.group_count

    def _branch(self, branch_id: int) -> Branch:
        return self.run.branches.branch(branch_id) if branch_id else self.run.root

    # --- attempts that begin

    def begun(self, ticket: int) -> None:
        """Note that an attempt begins which Python has to know of."""
        self.run.attempts.begun(ticket)

    def shown(self, node: int, branch_id: int) -> None:
        """Tell the tracer of an attempt that begins, of which Python has no record."""
        self.run.attempts.shown(node, branch_id)

    def shown_end(self, node: int, branch_id: int, times: tuple[float, float]) -> None:
        """Tell the tracer that such an attempt has ended well, with its times of the monotonic clock."""
        self.run.attempts.shown_end(node, branch_id, times[1] + self._processes.clock_offset())

    def count(self, branch_id: int, node: int, number: int, tag: int) -> None:
        """Count the start of an attempt in a branch that Python has a record of, or of a repeated one."""
        run = self.run
        context, base = self._branch(branch_id).context, run.nodes.names[node]
        task_id = run.tags.name_of(tag, base)
        self._limit(context, node, tag, task_id, base)
        run.attempts.count(context, task_id, base, number)

    def limit(self, node: int, tag: int) -> None:
        """Tell the run's counters what a task's definition says of loops and retries."""
        base = self._nodes.names[node]
        self._limit(self.run.context, node, tag, self._tags.name_of(tag, base), base)

    def _limit(self, context: ExecutionContext, node: int, tag: int, task_id: str, base: str) -> None:
        own = self._nodes.tasks[node]
        task: Any = (self._tags.task_of(tag) if tag else None) or own
        if task is not own:
            note_limits(context, own, base)
        apply_limits(context, task._definition, task_id, base)

    def unsendable(self, ticket: int, error: Exception) -> None:
        """Fail an attempt that can't be sent."""
        attempt = self.run.attempts.take(ticket)
        if attempt is not None:
            attempt.failed(error)

    # --- bodies that ask

    def answer(self, ticket: int, worker: int, body: bytes) -> bool:
        """Answer a running body; return whether somebody holds or waits for a lock, so that time matters."""
        requests = self._processes.requests
        requests.answer(ticket, worker, body)
        return bool(requests.locks)

    def asker_ended(self, ticket: int) -> None:
        """Let go of what a body that ended was given, and of the locks that it still holds."""
        processes = self._processes
        processes.sending.release(ticket)
        if processes.requests.locks:
            processes.requests.release(ticket)
        processes.requests.journal.forget(ticket)

    # --- attempts that end

    def say(self, ticket: int, branch_id: int, pieces: list[Any], written: Written | None) -> None:
        """Show what a body said, and what was written around Python meanwhile, when its turn comes."""
        run, live = self.run, self._processes.live_output
        if written is not None:
            pieces = [*written.fill(pieces), *written.rest()]
        if live is not None:
            pieces = live.rest(ticket, pieces)
        attempt = run.attempts.running.get(ticket)
        if attempt is not None:
            attempt.branch.output.write(pieces)
        elif branch_id:
            run.branches.output_of(branch_id).write(pieces)
        elif run.versions is None:
            run.root.output.write(pieces)
        else:  # it is shown as a whole when its task has ended, which is now
            show_all(pieces)

    def ended(self, ticket: int, times: tuple[float, float]) -> Attempt:
        """Return the record of an attempt that has ended between these times of the monotonic clock."""
        attempt = self.run.attempts.find(ticket)
        assert attempt is not None, "it is known until it has been applied"
        offset = self._processes.clock_offset()
        attempt.started, attempt.ended = times[0] + offset, times[1] + offset
        return attempt

    def failed(self, attempt: Attempt, packed: tuple[bytes, bytes]) -> None:
        """Note that a body raised."""
        attempt.failed(effects.unpack_error(attempt.task_id, packed))

    def unreadable(self, ticket: int, error: Exception) -> None:
        """Fail an attempt whose writes can't be loaded here."""
        attempt = self.run.attempts.take(ticket)
        if attempt is not None:
            attempt.failed(TaskSerializationError(attempt.task_id, "what it wrote", "", error))

    def returned(self, attempt: Attempt, result: Any, asked: list[Any]) -> None:
        """Apply what a body returned and asked for; its writes have been applied already."""
        directives = None
        if asked:
            try:
                directives = [self._processes.restored(wish) for wish in asked]
            except Exception as error:
                attempt.failed(TaskSerializationError(attempt.task_id, "what it asked for", "", error))
                return
        attempt.returned(result, directives)

    def note(self, name: str, started: float, ended: float, node: int) -> None:
        """Note for the tracer's record that a task of the workflow's own branch ran, which names a handler."""
        note = self.run.note_task
        if note is not None:
            note(name, started, ended, None, "TaskWrapper", self.run.nodes.tasks[node].handler_type)
