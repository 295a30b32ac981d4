"""Leases: the steps that surely follow a step of the workflow's own branch go to its worker together with it.

Owns which steps those are and how the worker's outcomes are applied, one after the other, as if each had been sent
alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._run.placement import PROCESS
from graflow_fast.core.task import TaskWrapper

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run
    from graflow_fast._run.processes import Processes

#: How many steps a lease may have.
MOST_STEPS = 256
#: Arguments of so many bytes are not sent in advance.
_LARGE = 1 << 16

RUN = 0


class Leases:
    """The leases of one run."""

    def __init__(self, run: Run, processes: Processes) -> None:
        self.run = run
        self.processes = processes
        #: Steps to send alone: a lease was lost, and it is not known which of its steps is to blame.
        self.alone = 0
        self._plain: dict[Any, bool] = {}

    def plan(self, attempt: Attempt) -> tuple[list[Any], set[int]] | None:
        """Return the steps that follow an attempt, as (name, key, bound arguments, cycle), and all keys they need.

        None when the attempt is to be sent alone.
        """
        run = self.run
        if self.alone:
            self.alone -= 1
            return None
        if attempt.branch.fork is not None or attempt.number or not self._is_plain(attempt.task):
            return None
        if run.scheduler.pending_work():
            return None
        steps: list[Any] = []
        keys: set[int] = set()
        nodes = run.nodes
        node = attempt.node
        seen = {node}
        counts = run.context.cycle_controller.cycle_counts
        while len(steps) < MOST_STEPS:
            following = run.scheduler.successors(node)
            if len(following) != 1 or len(run.scheduler.predecessors(following[0])) != 1:
                break
            node = following[0]
            if node in seen:  # a loop, in which each round has a count of its own
                break
            seen.add(node)
            task: Any = nodes.tasks[node]
            if not self._is_plain(task):
                break
            name = nodes.names[node]
            needed = self.processes.table.keys_for(task._definition, name)
            if any(getattr(value, "nbytes", 0) >= _LARGE for value in task._bound_kwargs.values()):
                break  # sent when its turn comes, if it comes
            bound = (
                self.processes.sending.pack_bound(name, task._bound_kwargs, run.root) if task._bound_kwargs else None
            )
            keys.update(needed)
            steps.append((name, needed[0], bound, counts.get(name, 0) + 1))
        return steps, keys

    def apply(self, attempt: Attempt, outcomes: list[Any]) -> None:
        """Apply what a worker reports of a lease."""
        run = self.run
        for name, flags, result, parts, started, ended in outcomes:
            if name != attempt.task_id:
                attempt = self._next_attempt(name)
            attempt.started, attempt.ended = started, ended
            self.processes.apply_report(attempt, flags, result, parts)
            if run.scheduler.finished():
                return

    def lost(self, steps: int) -> None:
        """Note that a worker died during a lease: its steps are repeated one by one, so the one to blame is known."""
        self.alone = steps + 1

    def _next_attempt(self, name: str) -> Attempt:
        action: Any = self.run.scheduler.next(time.monotonic())
        attempt = None
        if action is not None and action[0] == RUN and action[3] == 0:
            attempt = self.run.attempt_of(action)
        if attempt is None or attempt.task_id != name:
            raise AssertionError(f"a lease ran '{name}', but the scheduler would do {action}")
        self.run.prepare(attempt)
        return attempt

    def _is_plain(self, task: Any) -> bool:
        """Say whether a task may be part of a lease: nothing but the pool runs it, and it writes no checkpoint."""
        if type(task) is not TaskWrapper:
            return False
        definition = task._definition
        known = self._plain.get(definition)
        if known is None:
            run = self.run
            code = getattr(definition.func, "__code__", None)
            known = self._plain[definition] = (
                self.processes.is_plain(task)
                and run.placement.of(task, run.root, run.parallel) == PROCESS
                and code is not None
                and "checkpoint" not in code.co_names
            )
        return known
