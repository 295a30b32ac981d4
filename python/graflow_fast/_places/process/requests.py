"""Answering what a running body asks for from its worker: values, live operations, locks, the graph, checkpoints."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graflow_fast._body.packing import packed_value
from graflow_fast._messages import message_of
from graflow_fast._places.process.live_journal import LiveJournal, Part
from graflow_fast._places.process.worker_locks import WorkerLocks
from graflow_fast._wire import crossing
from graflow_fast._worker.remote_graph import DESCRIBED
from graflow_fast._worker.remote_state import ASKED

if TYPE_CHECKING:
    from graflow_fast._places.attempt import Attempt
    from graflow_fast._places.host import PoolHost
    from graflow_fast._places.process.processes import Processes

#: Answers that hold no shared memory.
_SCALARS = frozenset((int, float, bool, str, type(None)))

#: The pool's news that is a question.
REQUEST = 1

#: Seconds between two looks whether a thread has released what a body in the calling thread waits for.
_LONGEST_WAIT = 0.005


class Requests:
    """The answers of one run.

    Attributes:
        locks: which keys the bodies in workers hold and wait for.
        postponed: news of the pool that came at a time when only questions could be answered.
    """

    def __init__(self, host: PoolHost, processes: Processes) -> None:
        self.host = host
        self.processes = processes
        self.locks = WorkerLocks(host.live.locks, self._reply, self._refuse)
        self.journal = LiveJournal()
        #: What does something for a body, in a durable run, which writes down for whom.
        self._asked_by: Any = getattr(host.live.root, "asked_by", None)
        self._epoch = 0
        #: Whether the workers are still to be told that a key became live: a thread that can't use the pool made it so.
        self._is_behind = False
        self.postponed: list[tuple[Any, ...]] = []
        host.live.listeners.append(self._became_live)
        if host.live.keys:  # by a body in this process, before there were workers
            self._became_live()
        self._outer_pump = host.live.locks.pump_of_this_thread
        host.live.locks.pump_of_this_thread = self._pump_of_this_thread

    def answer(self, ticket: int, worker: int, body: bytes) -> None:
        """Answer one request, now or (a lock) when its turn comes."""
        self.processes.sending.questions += 1
        is_known = self.processes.feed.asked(ticket)
        try:
            operation, *arguments = pickle.loads(body)
            if operation == "add" and is_known:
                self._answer_add(ticket, worker, *arguments)
                return
            attempt = self.host.attempts.find(ticket)
            if attempt is None:
                return
            if operation == "lock":
                self.locks.lock(ticket, worker, *arguments)
                return
            if operation == "add":
                self._answer_add(ticket, worker, *arguments)
                return
            answer = getattr(self, f"_answer_{operation}")(attempt, *arguments)
        except Exception as error:
            self._refuse(worker, error)
            return
        self._reply(ticket, worker, answer)

    def _reply(self, ticket: int, worker: int, answer: Any) -> None:
        if type(answer) in _SCALARS:
            self.processes.core.reply(worker, pickle.dumps((True, answer), crossing.PROTOCOL))
            return
        held: list[Any] = []
        self.processes.core.reply(worker, crossing.pack((True, answer), held))
        if held:
            self.processes.sending.hold(ticket, held)

    def _refuse(self, worker: int, error: BaseException) -> None:
        try:
            packed = crossing.dumps(error)
        except Exception:
            packed = crossing.dumps(RuntimeError(f"{type(error).__name__}: {message_of(error)}"))
        self.processes.core.reply(worker, pickle.dumps((False, packed), protocol=crossing.PROTOCOL))

    # --- reading

    def _answer_get(self, attempt: Attempt, key: str) -> bytes | None:
        return packed_value(attempt.branch.channel, key, self.processes.sending.copies_for(attempt.branch.fork is None))

    def _answer_keys(self, attempt: Attempt) -> list[str]:
        return attempt.branch.channel.keys()

    def _answer_graph(self, attempt: Attempt, method: str, arguments: tuple[Any, ...]) -> Any:
        graph = attempt.branch.graph
        if method == "nodes":
            return list(graph.nodes)
        if method == "describe":
            try:
                task = graph.get_node(*arguments)
            except KeyError:
                return None
            return {name: getattr(task, name) for name in DESCRIBED if hasattr(task, name)}
        if method == "draw":
            return str(graph)
        return getattr(graph, method)(*arguments)

    def _answer_state(self, attempt: Attempt) -> dict[str, Any]:
        """What a body may want to know of its context; see `graflow_fast._worker.remote_state`."""
        context = attempt.branch.context
        state = {name: getattr(context, name) for name in ASKED}
        return {**state, "_steps": context.steps, "pending": list(context.pending)}

    def _answer_workflow(self, attempt: Attempt) -> str | None:
        workflow = self.host.workflow_around
        return None if workflow is None else workflow.name

    def _answer_workflow_copy(self, attempt: Attempt) -> bytes:
        from graflow_fast._wire import by_value  # cloudpickle is slow to import

        return by_value.dumps(self.host.workflow_around)

    def _answer_untraced(self, attempt: Attempt) -> bool:
        return self.host.silent

    def _answer_cycle_count(self, attempt: Attempt, task_id: str) -> int:
        return attempt.branch.context.cycle_controller.get_cycle_count(task_id)

    def _answer_starts_around(self, attempt: Attempt) -> str:
        context, owner = attempt.branch.context, getattr(attempt, "map", None)
        return context.starts_around() if owner is None else context.starts_within(owner.attempt.base_id)

    def _answer_mark_completed(self, attempt: Attempt, task_id: str) -> None:
        attempt.branch.context.mark_task_completed(task_id)

    def _answer_increment_step(self, attempt: Attempt) -> None:
        attempt.branch.context.increment_step()

    def _answer_explain(self, attempt: Attempt, task_id: str) -> str:
        return attempt.branch.context.explain(task_id)

    def _answer_checkpoint(
        self, attempt: Attempt, task_id: str, metadata: dict[str, Any], path: str | None, log: list[Any]
    ) -> tuple[str, Any]:
        # What the body has written so far belongs to the checkpoint.
        self.processes.apply(attempt.branch.channel, log)
        return attempt.branch.context.checkpoint_now(task_id, metadata, path)

    def _answer_lent(self, attempt: Attempt, what: str, *arguments: Any) -> Any:
        from graflow_fast._places.process.lending import answer

        return answer(attempt, what, arguments)

    # --- live operations

    def _answer_unlock(self, attempt: Attempt, key: str) -> None:
        self.locks.unlock(attempt.ticket, key)

    def _became_live(self) -> None:
        self._epoch += 1
        try:
            self._announce()
        except RuntimeError:  # this is another thread, and the pool is waited for
            self._is_behind = True

    def _announce(self) -> None:
        self.processes.core.set_live_epoch(self._epoch)
        self._is_behind = False

    def _answer_live_keys(self, attempt: Attempt) -> list[str]:
        return sorted(self.host.live.keys)

    def _answer_touch(self, attempt: Attempt, key: str, seen: bytes | None) -> None:
        live = self.host.live
        if key in live.keys:
            return
        if seen is not None:
            live.root.set(key, crossing.loads(seen))
            live.touch(key, live.root)
        else:
            live.touch(key, attempt.branch.channel)

    def _answer_live(
        self, attempt: Attempt, part: Part, turn: int, operation: str, key: str, arguments: tuple[Any, ...]
    ) -> Any:
        def perform() -> Any:
            return self._do_live(operation, key, arguments)

        done = perform if self._asked_by is None else self._done_for(attempt.ticket, part, perform)
        return self.journal.answer(attempt.ticket, part, turn, (operation, key, arguments), done)

    def _answer_add(self, ticket: int, worker: int, part: Part, turn: int, key: str, amount: int | float) -> None:
        self.locks.hold_during(ticket, worker, key, lambda: self._add(ticket, part, turn, key, amount))

    def _add(self, ticket: int, part: Part, turn: int, key: str, amount: int | float) -> int | float:
        """Add for a body that holds the key, or as good as holds it."""

        def perform() -> int | float:
            with self.host.live.guard:
                return self.host.live.add(key, amount)

        done = perform if self._asked_by is None else self._done_for(ticket, part, perform)
        total: int | float = self.journal.answer(ticket, part, turn, ("atomic_add", key, amount), done)
        return total

    def _done_for(self, ticket: int, part: Part, perform: Callable[[], Any]) -> Callable[[], Any]:
        """Return what does something for a body, and has it written down for whom."""
        attempt = self.host.attempts.find(ticket)
        return lambda: self._asked_by(attempt, part[1], perform)

    def _do_live(self, operation: str, key: str, arguments: tuple[Any, ...]) -> Any:
        root = self.host.live.root
        with self.host.live.guard:
            if operation == "get":
                packed: Any = getattr(root, "packed", None)
                return packed_value(root, key) if packed is None else packed(key)
            if operation in ("set", "append", "prepend"):
                data, ttl = arguments
                return getattr(root, operation)(key, crossing.loads(data), ttl)
            return getattr(root, operation)(key, *arguments)

    # --- around the waiting for news

    def release(self, ticket: int) -> None:
        """Release what an attempt that ended still holds or waits for."""
        self.locks.release(ticket)

    def earliest_deadline(self, timeout: float | None) -> float | None:
        """Return ``timeout``, or less when somebody who waits for a lock runs out of time before."""
        return self.locks.earliest_deadline(timeout) if self.locks else timeout

    def expire(self) -> None:
        """Do what other threads could not do themselves, and tell those who have waited too long for a lock."""
        if self._is_behind:
            self._announce()
        if self.locks:
            self.locks.look()

    def _pump_of_this_thread(self) -> Callable[[float | None], None] | None:
        return self._pump if self.locks.is_answered_here() else None

    def _pump(self, timeout: float | None) -> None:
        """Answer workers, one of which may hold what a body in this thread waits for; their reports must wait."""
        timeout = self.earliest_deadline(_LONGEST_WAIT if timeout is None else min(timeout, _LONGEST_WAIT))
        processes = self.processes
        news: Any = processes.core.poll(timeout)
        for event in news:
            if event[0] == REQUEST:
                self.answer(event[1], event[2], event[3])
            else:
                self.postponed.append(event)
        self.expire()

    def take_postponed(self) -> list[tuple[Any, ...]]:
        """Return the pool's news that came while a body in the calling thread waited for a lock."""
        postponed, self.postponed = self.postponed, []
        return postponed

    def close(self) -> None:
        """Stop listening to the run; nobody asks any more."""
        self.host.live.listeners.remove(self._became_live)
        self.locks.close()
        self.host.live.locks.pump_of_this_thread = self._outer_pump
        self.processes.core.set_live_epoch(0)
