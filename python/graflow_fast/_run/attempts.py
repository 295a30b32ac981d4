"""The attempts under way: made from the scheduler's actions, counted as they start, found and taken by their tickets.

Owns which attempts are running. Knows neither who runs their bodies nor what their outcomes mean.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._run.attempt import Attempt

if TYPE_CHECKING:
    from graflow_fast._run.actions import Action
    from graflow_fast._run.branches import Branch
    from graflow_fast._run.driver import Run
    from graflow_fast.core.context import ExecutionContext


class Attempts:
    """The attempts of one run.

    Attributes:
        running: by ticket, those whose bodies run elsewhere or wait there; chunks of maps among them.
        inline: the one whose body runs in the driver's thread, if any does.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.running: dict[int, Attempt] = {}
        self.inline: Attempt | None = None

    def new(self, ticket: int, node: int, branch: Branch, number: int, cause: int) -> Attempt:
        """Return an attempt of a node under the node's own name."""
        nodes = self.run.nodes
        attempt = Attempt(ticket, node, branch, number, nodes.tasks[node], nodes.names[node])
        attempt.cause = cause
        return attempt

    def of_action(self, action: Action) -> Attempt:
        """Return the attempt that an action of the kind RUN asks for."""
        _, ticket, node, branch_id, number, tag, cause = action
        run = self.run
        attempt = self.new(ticket, node, run.branch_for(branch_id, node, tag, number), number, cause)
        if not run.silent and branch_id == 0:
            run.tracing.told = max(0, run.tracing.told - 1)
        if tag:
            run.requested.apply_tag(attempt, tag)
        return attempt

    def prepare(self, attempt: Attempt) -> ExecutionContext:
        """Count the attempt and tell the tracer; return the context that the body sees."""
        context = attempt.branch.context
        task = attempt.task
        base_id = attempt.base_id
        definition = getattr(task, "_definition", None)
        if definition is not None:
            apply_limits(context, definition, attempt.task_id, base_id)
        if self.run.failures.failed:
            self.run.failures.forget([attempt.node])
        if attempt.number == 0:
            counts = context.cycle_controller.cycle_counts
            counts[base_id] = counts.get(base_id, 0) + 1
            if context.retry_controller.retry_counts:
                context.retry_controller.retry_counts.pop(attempt.task_id, None)
        else:
            # Counted by attempt, for another activation of the same task may be waiting for its own.
            context.retry_controller.retry_counts[attempt.task_id] = attempt.number
        self.run.tracing.started(attempt)
        return context

    def find(self, ticket: int) -> Attempt | None:
        """Return a running attempt, also one that took the short way so far; None when it is unknown."""
        found = self.running.get(ticket)
        processes = self.run.processes
        if found is None and processes is not None and processes.feed is not None:
            fed = processes.feed.release(ticket)
            if fed is not None:
                node, branch_id, cause = fed
                found = self.new(ticket, node, self.run.branches.branch(branch_id), 0, cause)
                found.started = time.time()
                self.prepare(found)
                self.running[ticket] = found
        return found

    def take(self, ticket: int) -> Attempt | None:
        """Return an attempt that is running no longer, None when it is unknown (abandoned before)."""
        found = self.find(ticket)
        if found is not None:
            del self.running[ticket]
        return found

    def named(self, task_id: str) -> Attempt | None:
        """Return the attempt that is running under that id, if there is one."""
        if self.inline is not None and self.inline.task_id == task_id:
            return self.inline
        return next((attempt for attempt in self.running.values() if attempt.task_id == task_id), None)


def apply_limits(context: ExecutionContext, definition: Any, task_id: str, base_id: str) -> None:
    """Tell a context's counters what a definition says of loops and retries, and no longer what another one said.

    They go by name, and another task may have run under this one before.
    """
    limited = context.limited_by
    before = limited.get(base_id) if limited else None
    if before is not None and before is not definition:
        del limited[base_id]
        context.cycle_controller.node_max_cycles.pop(base_id, None)
        for table in (context.retry_controller.node_policies, context.retry_controller.node_max_retries):
            table.pop(base_id, None)
            table.pop(task_id, None)
    if definition.max_cycles is None and definition.retry_policy is None and definition.max_retries is None:
        return
    limited[base_id] = definition
    if definition.max_cycles is not None:
        context.cycle_controller.set_node_max_cycles(base_id, definition.max_cycles)
    if definition.retry_policy is not None:
        context.retry_controller.set_node_policy(task_id, definition.retry_policy)
    elif definition.max_retries is not None:
        context.retry_controller.set_node_max_retries(task_id, definition.max_retries)
