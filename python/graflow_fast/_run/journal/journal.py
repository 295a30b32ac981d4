"""The journal of a durable run while it is written: one entry for each end of an attempt and each decision of a group.

Owns the keys by which ends are known again (branch, node, how many attempts of it the branch had begun), and that an
entry is in the store before anything that depends on it starts. What a resumed run makes of entries is `replay`'s,
which run of which store it is `opening`'s.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from graflow_fast._body.packing import unpacked
from graflow_fast._body.scope import BranchChannel
from graflow_fast._core import PlainJournal
from graflow_fast._run.journal import wishes
from graflow_fast._run.journal.channel import RecordedBranch, RecordedChannel
from graflow_fast._run.journal.entries import (
    NOT_KEPT,
    Entry,
    by_value,
    dumped_error,
    load,
    portable,
    records,
    restored,
)
from graflow_fast._run.journal.transient import Transient
from graflow_fast._store import JOURNAL_STREAM
from graflow_fast.channels._packed import Packed
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError, TaskSerializationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._body.scope import LiveStore, Operation
    from graflow_fast._core import RunWriter, Scheduler
    from graflow_fast._places.attempt import Asked
    from graflow_fast._places.places import Places
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.branches.branches import Branch, Fork
    from graflow_fast._run.branches.table import BranchTable
    from graflow_fast._run.journal.large import LargeValues
    from graflow_fast._run.journal.live import RecordedLive
    from graflow_fast._run.journal.recorded import Recorded
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What of a run names its attempts."""

        nodes: NodeTable
        branches: BranchTable
        live: LiveStore
        scheduler: Scheduler
        places: Places


#: A branch: for each group around it the group's name, how many of it had begun before, and the member's index.
BranchKey = tuple[tuple[str, int, int], ...]
#: An attempt or a group: its branch, its name, and how many of that name had begun in that branch before.
Key = tuple[BranchKey, str, int]


class Journal:
    """Writes down what ends in one run.

    Attributes:
        recorded: what earlier processes wrote down, None of a run that begins.
        replaying: whether what ends now ended in an earlier process.
        place: the store's file, and the run's number there.
        watch: called with each entry before it is written, and with True afterwards; for tests, which kill the process.
    """

    watch: Callable[[Entry, bool], object] | None = None

    def __init__(
        self,
        writer: RunWriter | None,
        channel: RecordedChannel,
        recorded: Recorded | None,
        values: LargeValues,
        syncs: bool,
    ) -> None:
        self.recorded = recorded
        self.replaying = False
        self.place = ("", 0)
        #: Seconds until the next attempt, as an earlier process decided.
        self.delay: float | None = None
        #: When what is replayed happened, on this process's monotonic clock; 0 for now.
        self.time = 0.0
        #: None: the run has ended, and is only looked at.
        self.writer = writer
        self._channel = channel
        self._values = values
        self._syncs = syncs
        #: Branches of members that have ended something since the disk was last waited for.
        self._unsynced: set[int] = set()
        #: What is done to live keys.
        self.live: RecordedLive
        self._guard = threading.Lock()
        self._begun: dict[tuple[BranchKey, str], int] = {}
        #: The same of the workflow's own branch.
        self._begun_in_root: dict[str, int] = {}
        self._forks: dict[int, Key] = {}
        self._keys: dict[int, Key] = {}
        #: By ticket: how much of the branch's log was there when the attempt began.
        self._marks: dict[int, int] = {}
        self._run: Parts

    def attach(self, run: Parts) -> None:
        """Serve this run."""
        from graflow_fast._run.journal.live import RecordedLive

        self._run = run
        run.live.branch_channel = RecordedBranch
        self.live = run.live.root = RecordedLive(self._channel, run.live, self)
        self._channel.plain = None if run.places.plain_steps is None else self._key_of_plain_step

    def now(self) -> float:
        """Return the time: that of what is replayed, else the present."""
        return self.time or time.monotonic()

    def append(self, entry: Entry, branch_id: int = 0) -> None:
        """Write an entry down.

        Args:
            entry: what.
            branch_id: of the branch in which an attempt ended. Where the disk is waited for, that of a member is waited
                for with others, before anything begins that could have seen its effects.

        Raises:
            OSError: the store can't take it. The run fails, and can be resumed when the reason is gone.
        """
        if self.writer is None:
            raise GraflowRuntimeError("Internal error: a durable run that has ended goes on")
        if self.watch is not None:
            self.watch(entry, False)
        with self._guard:  # bodies in threads write down what they do to live keys
            for record in records(entry, self._values):
                self.writer.append(JOURNAL_STREAM, record)
            if self._syncs and branch_id:
                self._unsynced.add(branch_id)
            elif self._syncs:
                self._unsynced.clear()
                self.writer.sync()
        if self.watch is not None:
            self.watch(entry, True)

    def begins(self, branch_id: int) -> None:
        """Wait for the disk if something that begins in a branch could see what isn't there yet."""
        if self._unsynced and (not branch_id or branch_id in self._unsynced) and self.writer is not None:
            with self._guard:
                self._unsynced.clear()
                self.writer.sync()

    def of_plain_steps(self, live: set[str]) -> PlainJournal:
        """Return what writes down how plain steps end; ``live``: the keys that are live, as long as the run goes."""
        channel = self._channel
        begun, watch = self._begun_in_root, self.watch
        return PlainJournal(self.writer, JOURNAL_STREAM, begun, channel.log, live, Packed, load, self._syncs, watch)

    # --- names

    def key_of(self, ticket: int, node: int, branch_id: int) -> Key:
        """Return the key of an attempt, given when it is first asked for, which is when it begins."""
        found = self._keys.get(ticket)
        if found is None:
            found = self._keys[ticket] = self._next_key(self._branch_key(branch_id), self._run.nodes.names[node])
        return found

    def adopted(self, attempt: Attempt) -> None:
        """Name the attempt of a plain step, which has ended in a way that is written down here."""
        self._keys[attempt.ticket] = self._key_of(attempt.task_id)

    def _key_of(self, name: str) -> Key:
        return (), name, self._begun_in_root[name] - 1

    def _key_of_plain_step(self) -> Key | None:
        """Return the key of the plain step that is running, None if none is."""
        plain = self._run.places.plain_steps
        return self._key_of(plain.core.name) if plain is not None and plain.in_body else None

    def _next_key(self, branch: BranchKey, name: str) -> Key:
        if not branch:
            count = self._begun_in_root.get(name, 0)
            self._begun_in_root[name] = count + 1
            return branch, name, count
        count = self._begun.get((branch, name), 0)
        self._begun[branch, name] = count + 1
        return branch, name, count

    def _branch_key(self, branch_id: int) -> BranchKey:
        if not branch_id:
            return ()
        fork = self._run.branches.fork_of(branch_id)
        branch, name, count = self._forks[fork.first]
        return (*branch, (name, count, branch_id - fork.first))

    def forked(self, fork: Fork) -> None:
        """Name a group that begins."""
        self.begins(fork.parent.id)
        self._forks[fork.first] = self._next_key(self._branch_key(fork.parent.id), self._run.nodes.names[fork.node])

    # --- what happens

    def started(self, attempt: Attempt) -> None:
        """Note that an attempt begins.

        Raises:
            ConfigError: durable runs can't have such a task.
        """
        if attempt.task.is_map:
            check_map(attempt.task)
        branch = attempt.branch
        self.begins(branch.id)
        key = self.key_of(attempt.ticket, attempt.node, branch.id)
        seen = branch.channel if isinstance(branch.channel, RecordedBranch) else self._channel
        seen.begun = key
        if branch.fork is None:  # of those one runs at a time, or each has a log of its own
            self._channel.log.clear()
        self._marks[attempt.ticket] = len(self._log(branch))

    def _log(self, branch: Branch) -> list[Operation]:
        channel = branch.channel
        return channel.log if isinstance(channel, BranchChannel) else self._channel.log

    def _written(self, attempt: Attempt) -> list[tuple[Any, ...]]:
        """Return what an attempt wrote, as an entry has it."""
        mark = self._marks.get(attempt.ticket, 0)
        return [
            (operation, key, portable(by_value(value, attempt.task_id, f"the channel's value '{key}'")), expires)
            for operation, key, value, expires in self._log(attempt.branch)[mark:]
        ]

    def packed(self, attempt: Attempt, result: Any, asked: Asked) -> Entry | None:
        """Return the entry of a body that returned, before anything of it is applied; None if there is to be none.

        Raises:
            TaskSerializationError: the result, a value or a task that it asked for can't be pickled.
        """
        if not self._is_news(attempt):
            return None
        task_id = attempt.task_id
        kept = NOT_KEPT if is_transient(attempt) else portable(by_value(result, task_id, "the result"))
        wanted = None if asked is None else wishes.packed(self._run.nodes, attempt, asked, task_id)
        times = attempt.started, attempt.ended or time.time()
        key = self._keys[attempt.ticket]
        return ("returned", key, time.time(), kept, self._written(attempt), wanted, attempt.handled, times)

    def _is_news(self, attempt: Attempt) -> bool:
        """Say whether an end is to be written down: it has not been, and nobody has given the attempt up.

        What was given up ends in no process that catches up.
        """
        return not self.replaying and self._run.scheduler.knows(attempt.ticket)

    def returned(self, attempt: Attempt, entry: Entry, result: Any) -> Any:
        """Write down what a body returned; return the result as it is stored, which nobody shares if it was kept."""
        self.append(entry, attempt.branch.id)
        self._ended(attempt)
        return Transient(unpacked(result)) if entry[3] == NOT_KEPT else restored(entry[3])

    def opened(self, result: Any) -> Any:
        """Return a result as a value."""
        return result.value() if type(result) is Transient else unpacked(result)

    def failed(self, attempt: Attempt, error: Exception, delay: float | None, is_final: bool) -> None:
        """Write down what a body failed with, and in how many seconds it is tried again; None: never."""
        if self._is_news(attempt):
            try:
                written = self._written(attempt)
            except TaskSerializationError:  # that may be what it failed with
                written = []
            key = self._keys[attempt.ticket]
            kept = dumped_error(error, attempt.task_id)
            entry = ("failed", key, time.time(), kept, written, delay, is_final, attempt.handled)
            self.append(entry, attempt.branch.id)
        self._ended(attempt)

    def _ended(self, attempt: Attempt) -> None:
        key = self._keys.pop(attempt.ticket, None)
        if key is not None:
            self.live.ended(key)
        self._marks.pop(attempt.ticket, None)

    # --- groups

    def decision(self, fork: Fork) -> Entry | None:
        """Return what an earlier process decided when a group joined, None if none did."""
        return None if self.recorded is None else self.recorded.decisions.pop(self._forks[fork.first], None)

    def decided(self, fork: Fork, decision: Entry | None, error: Exception | None, delay: float | None) -> None:
        """Write down how a group ended, if that is news."""
        key = self._forks.pop(fork.first)
        if decision is None:
            kept = None if error is None else dumped_error(error, fork.group_name)
            self.append(("joined", key, time.time(), kept, delay))

    def repeated(self, context: ExecutionContext, task_id: str, error: Exception, delay: float) -> float:
        """Count a failed attempt that an earlier process has repeated; return in how many seconds it was."""
        context.retry_controller.increment(task_id, error=error)
        return delay


def is_transient(attempt: Attempt) -> bool:
    """Say whether the result of an attempt is not written down."""
    return bool(getattr(getattr(attempt.task, "_definition", None), "transient", False))


def check_map(task: Any) -> None:
    """Refuse a map whose results would not be written down.

    Raises:
        ConfigError: its task is transient.
    """
    if task.task._definition.transient:
        raise ConfigError(
            f"Task '{task.task_id}' is a map of a transient task, which a durable run can't have: it writes down what "
            "items return. Leave out transient=True, or run without durable="
        )
