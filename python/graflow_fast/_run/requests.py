"""Answering what a running body asks for from its worker: values, live operations, locks, the graph, checkpoints."""

from __future__ import annotations

import pickle
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from graflow_fast._run import by_value, crossing, explain
from graflow_fast._run.live_journal import LiveJournal, Part
from graflow_fast._run.packing import packed_value
from graflow_fast._worker.remote_graph import DESCRIBED
from graflow_fast._worker.remote_state import ASKED

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run
    from graflow_fast._run.processes import Processes


class Lock:
    """A lock that worker bodies hold: by ticket, counted, with those who wait for it in order."""

    __slots__ = ("count", "holder", "waiting")

    def __init__(self) -> None:
        self.holder = -1
        self.count = 0
        #: (ticket, worker, deadline, timeout)
        self.waiting: deque[tuple[int, int, float, float]] = deque()


class Requests:
    """The answers of one run."""

    def __init__(self, run: Run, processes: Processes) -> None:
        self.run = run
        self.processes = processes
        self.locks: dict[str, Lock] = {}
        self.journal = LiveJournal()
        self._epoch = 0
        run.live.listeners.append(self._became_live)
        self._deadlines: list[float] = []

    def answer(self, ticket: int, worker: int, body: bytes) -> None:
        """Answer one request, now or (a lock) when its turn comes."""
        attempt = self.run.attempts.find(ticket)
        if attempt is None:
            return
        try:
            operation, *arguments = pickle.loads(body)
            if operation == "lock":
                self._lock(ticket, worker, *arguments)
                return
            answer = getattr(self, f"_answer_{operation}")(attempt, *arguments)
        except Exception as error:
            self._refuse(worker, error)
            return
        self._reply(ticket, worker, answer)

    def _reply(self, ticket: int, worker: int, answer: Any) -> None:
        held: list[Any] = []
        self.processes.core.reply(worker, crossing.pack((True, answer), held))
        if held:
            self.processes.sending.hold(ticket, held)

    def _refuse(self, worker: int, error: BaseException) -> None:
        try:
            packed = crossing.dumps(error)
        except Exception:
            packed = crossing.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
        self.processes.core.reply(worker, pickle.dumps((False, packed), protocol=crossing.PROTOCOL))

    # --- reading

    def _answer_get(self, attempt: Attempt, key: str) -> bytes | None:
        return packed_value(attempt.branch.channel, key, self.processes.sending.copies_for(attempt.branch))

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
        workflow = self.run.workflow_around
        return None if workflow is None else workflow.name

    def _answer_workflow_copy(self, attempt: Attempt) -> bytes:
        return by_value.dumps(self.run.workflow_around)

    def _answer_untraced(self, attempt: Attempt) -> bool:
        return self.run.silent

    def _answer_cycle_count(self, attempt: Attempt, task_id: str) -> int:
        return attempt.branch.context.cycle_controller.get_cycle_count(task_id)

    def _answer_mark_completed(self, attempt: Attempt, task_id: str) -> None:
        attempt.branch.context.mark_task_completed(task_id)

    def _answer_increment_step(self, attempt: Attempt) -> None:
        attempt.branch.context.increment_step()

    def _answer_explain(self, attempt: Attempt, task_id: str) -> str:
        return explain.sentence(self.run, task_id, attempt.branch)

    def _answer_checkpoint(
        self, attempt: Attempt, task_id: str, metadata: dict[str, Any], path: str | None, log: list[Any]
    ) -> tuple[str, Any]:
        # What the body has written so far belongs to the checkpoint.
        self.processes.apply(attempt.branch.channel, log)
        return self.run.context.checkpoint_now(task_id, metadata, path)

    # --- live operations

    def _became_live(self) -> None:
        self._epoch += 1
        self.processes.core.set_live_epoch(self._epoch)

    def _answer_live_keys(self, attempt: Attempt) -> list[str]:
        return sorted(self.run.live.keys)

    def _answer_touch(self, attempt: Attempt, key: str, seen: bytes | None) -> None:
        live = self.run.live
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

        return self.journal.answer(attempt.ticket, part, turn, (operation, key, arguments), perform)

    def _do_live(self, operation: str, key: str, arguments: tuple[Any, ...]) -> Any:
        root = self.run.live.root
        with self.run.live.guard:
            if operation == "get":
                return packed_value(root, key)
            if operation in ("set", "append", "prepend"):
                data, ttl = arguments
                return getattr(root, operation)(key, crossing.loads(data), ttl)
            return getattr(root, operation)(key, *arguments)

    def _lock(self, ticket: int, worker: int, key: str, timeout: float) -> None:
        lock = self.locks.setdefault(key, Lock())
        if lock.holder in (-1, ticket):
            lock.holder = ticket
            lock.count += 1
            self._reply(ticket, worker, None)
        else:
            lock.waiting.append((ticket, worker, time.monotonic() + timeout, timeout))

    def _answer_unlock(self, attempt: Attempt, key: str) -> None:
        lock = self.locks.get(key)
        if lock is None or lock.holder != attempt.ticket:
            return
        lock.count -= 1
        if lock.count == 0:
            self._pass_on(key, lock)

    def _pass_on(self, key: str, lock: Lock) -> None:
        lock.holder = -1
        lock.count = 0
        while lock.waiting:
            ticket, worker, _, _ = lock.waiting.popleft()
            if ticket in self.run.attempts.running:
                lock.holder = ticket
                lock.count = 1
                self._reply(ticket, worker, None)
                return
        del self.locks[key]

    def release(self, ticket: int) -> None:
        """Release what an attempt that ended still holds or waits for."""
        for key, lock in list(self.locks.items()):
            lock.waiting = deque(item for item in lock.waiting if item[0] != ticket)
            if lock.holder == ticket:
                self._pass_on(key, lock)

    def earliest_deadline(self, timeout: float | None) -> float | None:
        """Return ``timeout``, or less when somebody who waits for a lock runs out of time before."""
        for lock in self.locks.values():
            for _, _, deadline, _ in lock.waiting:
                left = max(0.0, deadline - time.monotonic())
                timeout = left if timeout is None else min(timeout, left)
        return timeout

    def expire(self) -> None:
        """Tell those who have waited too long for a lock."""
        now = time.monotonic()
        for key, lock in self.locks.items():
            for item in [item for item in lock.waiting if item[2] <= now]:
                lock.waiting.remove(item)
                self._refuse(item[1], TimeoutError(f"Could not acquire lock for key '{key}' within {item[3]}s"))

    def close(self) -> None:
        """Stop listening to the run."""
        self.run.live.listeners.remove(self._became_live)
        self.processes.core.set_live_epoch(0)
