"""What a worker knows of the run: views of the channel and the graph that ask the coordinator, and their context.

Owns caching of what can't change while the worker looks; knows nothing of how the coordinator answers.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graflow_fast._run import crossing
from graflow_fast._run.scope import BranchChannel, ReadOnlyChannel
from graflow_fast._worker.effects import pack_log
from graflow_fast._worker.remote_graph import RemoteGraph
from graflow_fast._worker.remote_state import RemoteCycles, RemoteState
from graflow_fast.channels.base import Channel
from graflow_fast.core.context import seed_of
from graflow_fast.core.cycle import CycleController
from graflow_fast.core.retry_counts import RetryController

if TYPE_CHECKING:
    from graflow_fast._core import WorkerLink
    from graflow_fast._run.live_journal import Part
    from graflow_fast._worker.view import View
    from graflow_fast.core.definition import Definition
    from graflow_fast.core.task_context import TaskExecutionContext

_ABSENT: Any = object()
_NO_KEYS: frozenset[str] = frozenset()


#: Held by whoever uses the link: a body may have threads of its own, and answers come in the order of the questions.
_link_in_use = threading.RLock()
os.register_at_fork(after_in_child=_link_in_use._at_fork_reinit)  # type: ignore[attr-defined]


def ask(link: WorkerLink, ticket: int, *question: Any) -> Any:
    """Ask the coordinator and wait for the answer; its exceptions are raised here."""
    held: list[Any] = []  # until the answer is there
    packed = crossing.pack(question, held)
    with _link_in_use:
        reply = link.request(ticket, packed)
    ok, answer = pickle.loads(reply)
    if ok:
        return answer
    raise crossing.loads(answer)


def live_epoch(link: WorkerLink) -> int:
    """Return the number that changes whenever a key becomes live; 0: none has."""
    with _link_in_use:
        return link.live_epoch()


class RemoteChannel(ReadOnlyChannel):
    """The channel as the coordinator has it for one task: reading asks, once for each key."""

    #: What earlier steps of the same lease did to keys: key -> whether it is there; and those set anew.
    changed: Mapping[str, bool] = {}
    reborn: Collection[str] = ()

    def __init__(self, link: WorkerLink, ticket: int, values: dict[str, bytes | None]) -> None:
        super().__init__("remote")
        self.link = link
        self.ticket = ticket
        self.values = values

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under ``key``, else ``default``."""
        packed = self._packed(key)
        return default if packed is None else crossing.loads(packed)

    def exists(self, key: str) -> bool:
        """Say whether there is a value under ``key``."""
        return self._packed(key) is not None

    def keys(self) -> list[str]:
        """Return all keys."""
        found: list[str] = ask(self.link, self.ticket, "keys")
        for key, present in self.changed.items():
            if key in found and (not present or key in self.reborn):
                found.remove(key)
            if present and key not in found:
                found.append(key)
        return found

    def _packed(self, key: str) -> bytes | None:
        packed = self.values.get(key, _ABSENT)
        if packed is _ABSENT:
            packed = self.values[key] = ask(self.link, self.ticket, "get", key)
        return packed  # type: ignore[no-any-return]


class RemoteRoot(Channel):
    """The live values, which are always asked for."""

    def __init__(self, link: WorkerLink, ticket: int, part: Part) -> None:
        super().__init__("live")
        self.link = link
        self.ticket = ticket
        #: Which body of the ticket asks, and how many operations it has done, so that none is done twice.
        self._part = part
        self._turn = 0
        #: By key: which thread of the body has the lock, which the coordinator gives to the task as a whole.
        self._threads: dict[str, threading.RLock] = {}

    def _do(self, operation: str, key: str, *arguments: Any) -> Any:
        with _link_in_use:  # no other thread may take this turn
            answer = ask(self.link, self.ticket, "live", self._part, self._turn, operation, key, arguments)
            self._turn += 1
        return answer

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value that everybody sees now."""
        packed = self._do("get", key)
        return default if packed is None else crossing.loads(packed)

    def exists(self, key: str) -> bool:
        """Say whether there is a value now."""
        return bool(self._do("exists", key))

    def keys(self) -> list[str]:
        """Return all keys."""
        found: list[str] = ask(self.link, self.ticket, "keys")
        return found

    def set(self, key: str, value: Any, ttl: int | None = None) -> None:
        """Set the value for everybody."""
        self._do("set", key, crossing.dumps(value), ttl)

    def delete(self, key: str) -> bool:
        """Remove the key for everybody."""
        return bool(self._do("delete", key))

    def clear(self) -> None:
        """Refuse: the live store is never cleared as a whole."""
        raise NotImplementedError

    def append(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Append for everybody."""
        return int(self._do("append", key, crossing.dumps(value), ttl))

    def prepend(self, key: str, value: Any, ttl: int | None = None) -> int:
        """Prepend for everybody."""
        return int(self._do("prepend", key, crossing.dumps(value), ttl))

    def atomic_add(self, key: str, amount: int | float = 1) -> int | float:
        """Add, for everybody."""
        result: int | float = self._do("atomic_add", key, amount)
        return result

    @contextmanager
    def lock(self, key: str, timeout: float = 10.0) -> Iterator[None]:
        """Hold a lock that all tasks of the run share, and one thread of this body at a time."""
        late = f"Could not acquire lock for key '{key}' within {timeout}s"
        end = time.monotonic() + timeout
        among_threads = self._threads.setdefault(key, threading.RLock())
        if not among_threads.acquire(timeout=max(0.0, timeout)):
            raise TimeoutError(late)
        try:
            try:
                ask(self.link, self.ticket, "lock", key, max(0.0, end - time.monotonic()))
            except TimeoutError:
                raise TimeoutError(late) from None
            try:
                yield
            finally:
                ask(self.link, self.ticket, "unlock", key)
        finally:
            among_threads.release()


class _NoGuard:
    """The coordinator does one live operation at a time, so nothing is guarded here."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc_info: object) -> None:
        return None


class RemoteLive:
    """Which keys are live, kept fresh by the epoch that the coordinator shares with its workers."""

    __slots__ = ("_epoch", "_keys", "_part", "_root", "link", "ticket")

    guard = _NoGuard()

    def __init__(self, link: WorkerLink, ticket: int, part: Part) -> None:
        self.link = link
        self.ticket = ticket
        self._part = part
        self._root: RemoteRoot | None = None
        self._epoch = 0
        self._keys = _NO_KEYS

    @property
    def root(self) -> RemoteRoot:
        """The live values."""
        if self._root is None:
            with _link_in_use:
                if self._root is None:
                    self._root = RemoteRoot(self.link, self.ticket, self._part)
        return self._root

    @property
    def keys(self) -> frozenset[str]:
        """The live keys."""
        epoch = live_epoch(self.link)
        if epoch != self._epoch:
            self._keys = frozenset(ask(self.link, self.ticket, "live_keys"))
            self._epoch = epoch
        return self._keys

    def touch(self, key: str, seen_by: Channel) -> None:
        """Make a key live, starting with the value seen here."""
        if key in self.keys:
            return
        written = isinstance(seen_by, BranchChannel) and seen_by.has_written(key)
        ask(self.link, self.ticket, "touch", key, crossing.dumps(seen_by.read(key)) if written else None)  # type: ignore[attr-defined]


class WorkerContext(RemoteState):
    """The execution context of one body in a worker."""

    current_task_context: TaskExecutionContext | None = None
    _graph: RemoteGraph | None = None
    _workflow: Any = None
    _cycles: CycleController | None = None
    _retries: RetryController | None = None
    #: Which item of a map this is for.
    _item: Part | None = None

    def __init__(
        self,
        link: WorkerLink,
        ticket: int,
        view: View,
        definition: Definition | None,
        task_id: str,
        extra: dict[str, Any] | None,
        part: Part | None = None,
    ) -> None:
        # Deliberately without the base's constructor: a body pays only for what it uses.
        self._link = link
        self._ticket = ticket
        self._view = view
        self._definition = definition
        self._extra = extra
        self._task_id = task_id
        self._channel: BranchChannel | None = None
        self._member: str = task_id if extra is None else extra.get("member", task_id)
        if part is not None:
            self._item = part

    def ask(self, *question: Any) -> Any:
        """Ask the coordinator and wait for the answer."""
        return ask(self._link, self._ticket, *question)

    def steps_before(self) -> list[str]:
        """Return the tasks that completed in this worker without the coordinator knowing yet."""
        return [] if self._extra is None else self._extra.get("done", [])

    def __reduce__(self) -> Any:
        raise TypeError(
            f"the context of task '{self._task_id}' means nothing outside of it; return what you read from it"
        )

    @property
    def _part(self) -> Part:
        """Which of the bodies of its ticket this is."""
        if self._item is not None:
            return self._item
        extra = self._extra
        return (0, self._task_id) if extra is None else (extra.get("step", 0), extra.get("base", self._task_id))

    @property
    def channel(self) -> BranchChannel:  # type: ignore[override]
        """The channel as this task sees it."""
        found = self._channel
        if found is None:
            extra = self._extra
            values = self._view.values
            if not self._view.shared or (extra is not None and "values" in extra):
                values = {} if extra is None else extra.get("values", {})
            parent = RemoteChannel(self._link, self._ticket, values)
            if extra is not None and "changed" in extra:
                parent.changed, parent.reborn = extra["changed"]
            live: Any = RemoteLive(self._link, self._ticket, self._part)
            found = self._channel = BranchChannel(self.session_id, parent, live)
        return found

    def writes(self) -> list[Any]:
        """Return the log of what this task wrote."""
        channel = self._channel
        return [] if channel is None else channel.log

    @property
    def holds_lock(self) -> bool:
        """Whether this task holds a lock of the channel still."""
        channel = self._channel
        return channel is not None and channel._locks_held > 0

    @property
    def graph(self) -> Any:  # type: ignore[override]
        """The run's graph."""
        found = self._graph
        if found is None:
            found = self._graph = RemoteGraph(lambda *question: ask(self._link, self._ticket, *question))
        return found

    @property
    def session_id(self) -> str:  # type: ignore[override]
        """The id of this branch."""
        return f"{self._view.session_id}_{self._member}" if self._in_branch else self._view.session_id

    @property
    def trace_id(self) -> str:  # type: ignore[override]
        """The id of the run."""
        return self._view.trace_id

    @property
    def scope_name(self) -> str:  # type: ignore[override]
        """What distinguishes this branch in generated names."""
        return f"{self._view.scope_name}/{self._member}" if self._in_branch else self._view.scope_name

    @property
    def _in_branch(self) -> bool:
        return self._view.shared

    @property
    def cycle_controller(self) -> CycleController:  # type: ignore[override]
        """This task's cycle count and limit."""
        found = self._cycles
        if found is None:
            found = self._cycles = RemoteCycles(self._view.default_max_cycles, self.ask)
            base = self._task_id if self._extra is None else self._extra.get("base", self._task_id)
            count = 1 if self._extra is None else self._extra.get("cycles", 1)
            limit = self._limit("max_cycles")
            found.cycle_counts[base] = count
            if limit is not None:
                found.set_node_max_cycles(base, limit)
        return found

    def _limit(self, name: str) -> int | None:
        """Return a limit of this task: what its definition says, else what the run's controllers were told."""
        limit: int | None = None if self._definition is None else getattr(self._definition, name)
        if limit is None and self._extra is not None:
            limit = self._extra.get("limits", {}).get(name)
        return limit

    @property
    def retry_controller(self) -> RetryController:  # type: ignore[override]
        """This task's retry count and limit."""
        found = self._retries
        if found is None:
            found = self._retries = RetryController(self._view.default_max_retries)
            count = 0 if self._extra is None else self._extra.get("retries", 0)
            limit = self._limit("max_retries")
            if count:
                found.retry_counts[self._task_id] = count
            if limit is not None:
                found.set_node_max_retries(self._task_id, limit)
        return found

    def seed_of(self, task_id: str) -> int:
        """Return the seed of a task: reproducible within a workflow, whatever executes it."""
        return seed_of(self._view.seed, self.scope_name, task_id)

    def group_name(self, task_id: str, serial: int) -> str:
        """Return the name of the next unnamed group made by this body."""
        if self._in_branch:
            return f"{task_id}.ParallelGroup_{serial}"
        made = 0 if self._extra is None else self._extra.get("group_count", 0)
        return f"ParallelGroup_{made + serial}"

    def workflow_around(self) -> Any:
        """Return the workflow that is current where the run was started, None if there is none."""
        if self._workflow is None:
            from graflow_fast._worker.remote_workflow import RemoteWorkflow

            name = self.ask("workflow")
            self._workflow = None if name is None else RemoteWorkflow(name, self.graph, self.ask)
        return self._workflow

    def checkpoint_now(self, task_id: str, metadata: dict[str, Any], path: str | None) -> tuple[str, Any]:
        """Have the coordinator write a checkpoint that resumes at this task."""
        log = pack_log(task_id, self.channel.log)
        self.channel.log.clear()
        written: tuple[str, Any] = ask(self._link, self._ticket, "checkpoint", task_id, metadata, path, log)
        return written
