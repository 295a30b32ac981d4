"""The short way for plain steps of the workflow's own branch in the pool: alone, or several in one task (a lease).

`StepFeed` (in Rust) sends them and applies what comes back; here is what it needs of Python, and what is not plain:
such a step becomes an ordinary attempt. Owns neither order (scheduler) nor what a report means (`processes`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._core import StepFeed
from graflow_fast._run import crossing
from graflow_fast._run.arguments import NOTHING
from graflow_fast._run.attempts import apply_limits
from graflow_fast._run.packing import load_packed
from graflow_fast._run.placement import PROCESS
from graflow_fast.channels._packed import Packed
from graflow_fast.channels.memory_channel import MemoryChannel
from graflow_fast.core.task import TaskWrapper
from graflow_fast.exceptions import TaskSerializationError

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run
    from graflow_fast._run.live_journal import Done, Part
    from graflow_fast._run.processes import Processes
    from graflow_fast.core.definition import Definition, Parameter

#: Arguments of so many bytes are not sent in advance.
_LARGE = 1 << 16

#: Bodies that name these see or keep the run's state, in which the steps before them must have been applied.
_NEED_THE_RUN = frozenset(("checkpoint", "execution_context", "explain"))

#: What a worker reports of one step: (name, flags, result, parts, started, ended).
Outcome = tuple[str, int, bytes, Any, float, float]


class StepPlan:
    """How steps of one definition are sent; read by `StepFeed`."""

    __slots__ = (
        "definition",
        "handler",
        "inject",
        "keys",
        "leasable",
        "look_up",
        "max_cycles",
        "parameters",
        "retries",
    )

    def __init__(self, task: TaskWrapper, keys: tuple[int, ...]) -> None:
        definition = self.definition = task._definition
        self.keys = keys
        self.inject = definition.inject_context
        self.look_up = definition.resolve_keyword_args
        self.parameters: list[Parameter] = list(definition.parameters)
        self.max_cycles = definition.max_cycles
        self.retries = definition.max_retries is not None
        self.handler = task.handler_type
        code = getattr(definition.func, "__code__", None)
        self.leasable = code is not None and _NEED_THE_RUN.isdisjoint(code.co_names)


class PoolSteps:
    """Runs plain steps of one run in the pool."""

    load = staticmethod(load_packed)
    task_class = TaskWrapper

    def __init__(self, run: Run, processes: Processes) -> None:
        context = run.context
        self.run = run
        self.processes = processes
        self._table = processes.table
        self._epoch = self._table.epoch
        self._calls = 0
        #: Steps that go the general way: a lease was lost, and it is not known which of its steps is to blame.
        self._alone = 0
        #: The number, in the lease that was lost, of the step that is next, and what such steps have done live.
        self._number = 0
        self._done: dict[Part, Done] = {}
        record = getattr(context.tracer, "_record", None)
        self._feed = StepFeed(
            run.scheduler,
            processes.core,
            run.nodes.tasks,
            run.nodes.names,
            context,
            self,
            run.requested.tags,
            Packed,
            None if record is None else record.note_steps,
            context.max_steps is None,  # with a limit no step may run before its turn is sure
        )

    @staticmethod
    def suits(run: Run) -> bool:
        """Say whether a run may take the short way.

        Nobody hears of each step, or of what it says before it has ended, and the channel is a dictionary.
        """
        settings = run.settings
        limited = settings.timeout is not None or settings.memory_limit is not None
        heard = not run.silent or run.live_output
        plain = not heard and not run.parallel and run.forgetting is None and not limited
        return plain and type(run.context.channel) is MemoryChannel

    def close(self) -> None:
        """Let go of the run."""
        self._feed.end()

    def go_on(self, action: tuple[int, int, int, int, int, int, int]) -> Any:
        """Run the step that ``action`` asks for, and its lease; return the next action, or ``action`` if not plain."""
        if self._alone:
            self._go_alone(action)
            return action
        if self._table.epoch != self._epoch:
            self._epoch = self._table.epoch
            self._feed.renew()
        run = self.run
        try:
            following = self._feed.run(action)
        except BaseException:
            self._adopt()
            raise
        if following is action:
            return following
        kind = type(following)
        if kind is list:
            self._adopt()
            self.processes.take_in(following)
            return run.next()
        run.last_result = self._feed.last_result
        if kind is int:
            return self._apply_others(following, True)
        self._calls += 1
        if not self._calls & 15:
            self.processes.growth.sometimes()
        return following

    def apply(self, attempt: Attempt, outcomes: list[Outcome]) -> None:
        """Apply what a worker reports of a lease whose first step is an ordinary attempt by now."""
        call = None if attempt.call is NOTHING else attempt.call
        following = self._feed.apply_all(
            attempt.ticket, attempt.node, attempt.cause, attempt.tag, attempt.task_id, call, outcomes
        )
        if following != 0:
            self.run.last_result = self._feed.last_result
        if following is not None:
            self._apply_others(following, False)

    # --- leases that were lost

    def lost(self, attempt: Attempt) -> None:
        """Note that a worker died during a lease: its steps are repeated one by one, so the one to blame is known.

        The first one of them is the attempt itself, which is run again by whoever tells of it.
        """
        self._go_on_at(attempt, 1)
        self._alone = max(self._alone, attempt.lease)

    def ended(self, attempt: Attempt, steps: int) -> None:
        """Note that a lease was reported with so many steps; if it is not the first time, it may have had more then."""
        self._go_on_at(attempt, steps)

    def _go_on_at(self, attempt: Attempt, number: int) -> None:
        """Send alone what follows from a step on, up to the last step that is known to have done something live."""
        self._number = number
        self._done = self.processes.requests.journal.take(attempt.ticket, number)
        self._alone = 1 + max((number for number, _ in self._done), default=number - 1) - number

    def _go_alone(self, action: tuple[int, int, int, int, int, int, int]) -> None:
        """Let a step that goes alone be the one that was part of a lease, if it is that one."""
        _, ticket, node, branch_id, number, _, _ = action
        if branch_id or number:  # a repeated attempt is of a step that has been counted
            return
        name = self.run.nodes.names[node]
        done = self._done.pop((self._number, name), None)
        self._alone -= 1
        self._number += 1
        if done is not None:
            self.processes.requests.journal.give(ticket, (0, name), done)

    # --- what is not plain

    def _attempt(self) -> Attempt | None:
        """Return the step under way as an ordinary attempt, None when there is none."""
        step = self._feed.current()
        if step is None:
            return None
        ticket, node, cause, tag, name, call, lease = step
        attempt = self.run.attempts.new(ticket, node, self.run.root, 0, cause)
        if tag:
            attempt.tag, attempt.task_id, attempt.call = tag, name, call
        attempt.lease = lease
        attempt.started = time.time()
        return attempt

    def _adopt(self) -> None:
        attempt = self._attempt()
        if attempt is not None:
            self.run.attempts.running[attempt.ticket] = attempt

    def _apply_others(self, index: int, take_next: bool) -> Any:
        """Apply the outcome with that index, and those after it; return the next action if asked for."""
        run, feed = self.run, self._feed
        outcomes = feed.outcomes()
        while True:
            attempt = self._attempt()
            assert outcomes is not None
            assert attempt is not None
            attempt.lease = 0
            _, flags, result, parts, attempt.started, attempt.ended = outcomes[index]
            self.processes.apply_report(attempt, flags, result, parts)
            index += 1
            if index == len(outcomes) or run.scheduler.finished():
                return run.next() if take_next else None
            following = feed.apply(index, take_next)
            if type(following) is not int:
                run.last_result = feed.last_result
                return following
            if following > index:
                run.last_result = feed.last_result
            index = following

    # --- what `StepFeed` asks for

    def plan(self, task: TaskWrapper) -> StepPlan | None:
        """Return how a task's definition is sent, None when its steps are not plain."""
        run, processes = self.run, self.processes
        if not processes.is_plain(task) or run.placement.of(task, run.root, run.parallel) != PROCESS:
            return None
        keys = self.keys(task)
        return None if keys is None else StepPlan(task, keys)

    def keys(self, task: TaskWrapper) -> tuple[int, ...] | None:
        """Return the keys of a task's definition and of those it names as they are now, None if it can't be sent."""
        try:
            return self.processes.table.keys_for(task._definition, task.task_id)
        except TaskSerializationError:
            return None  # the general way fails the attempt

    def view(self) -> int:
        """Return the key of the view of the channel that the workflow's own branch has."""
        return self.processes.sending.view(self.run.root)

    def limit_retries(self, definition: Definition, task_id: str, base_id: str) -> None:
        """Note what a definition says of retries."""
        apply_limits(self.run.context, definition, task_id, base_id)

    def pack(self, value: Any, ahead: bool) -> bytes | None:
        """Return a value as bytes, None when it can't be sent the short way; ``ahead``: before its step's turn."""
        if ahead and any(getattr(item, "nbytes", 0) >= _LARGE for item in value.values()):
            return None
        try:
            data = crossing.dumps(value, self.processes.sending.copies_for(self.run.root))
        except Exception:
            return None  # the general way says what can't be pickled
        if data[0] != crossing.SHARED_MARK:
            return data
        if not ahead:
            self.processes.sending.refuse(value, data)  # not to be copied once more
        return None
