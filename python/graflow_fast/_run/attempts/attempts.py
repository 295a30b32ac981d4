"""The attempts under way: made from the scheduler's actions, counted as they start, found and taken by their tickets.

Owns which attempts are running. Knows neither who runs their bodies nor what their outcomes mean.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._body.limits import apply_limits, note_limits
from graflow_fast._run.attempts.attempt import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast._actions import Action
    from graflow_fast._places.attempt import Asked, TaskAttempt
    from graflow_fast._places.attempt import Attempt as AttemptInPlace
    from graflow_fast._places.host import Source
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.attempts.outcomes import Outcomes
    from graflow_fast._run.attempts.tags import Tags
    from graflow_fast._run.branches.branches import Branch
    from graflow_fast._run.branches.table import BranchTable
    from graflow_fast._run.journal.journal import Journal
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.tracing import Tracing
    from graflow_fast.core.context import ExecutionContext


class Attempts:
    """The attempts of one run.

    Attributes:
        running: by ticket, those whose bodies run elsewhere or wait there; chunks of maps among them.
        inline: the one whose body runs in the driver's thread, if any does.
    """

    def __init__(
        self,
        nodes: NodeTable,
        branches: BranchTable,
        tags: Tags,
        failures: Failures,
        tracing: Tracing,
        outcomes: Outcomes,
    ) -> None:
        self.nodes = nodes
        self.branches = branches
        self.tags = tags
        self.failures = failures
        self.tracing = tracing
        self.outcomes = outcomes
        self.running: dict[int, AttemptInPlace] = {}
        self.inline: TaskAttempt | None = None
        #: What knows attempts under way that have no record yet.
        self.sources: list[Source] = []
        #: What is told of attempts that begin, None but in a durable run.
        self.journal: Journal | None = None

    def new(self, ticket: int, node: int, branch: Branch | Callable[[], Branch], number: int, cause: int) -> Attempt:
        """Return an attempt of a node under the node's own name."""
        attempt = Attempt(self, ticket, node, branch, number, self.nodes.tasks[node], self.nodes.names[node])
        attempt.cause = cause
        return attempt

    def of_action(self, action: Action) -> Attempt:
        """Return the attempt that an action of the kind RUN asks for."""
        _, ticket, node, branch_id, number, tag, cause = action
        attempt = self.new(ticket, node, self.branches.start(branch_id, node, tag, number), number, cause)
        self._note_told(branch_id)
        if tag:
            self.tags.apply(attempt, tag)
        if self.journal is not None:
            self.journal.started(attempt)
        return attempt

    def of_step(self, action: Action, started: float) -> Attempt:
        """Return the attempt of a plain step that began then and has just ended."""
        _, ticket, node, branch_id, number, _, cause = action
        branch = self.branches.branch(branch_id) if branch_id else self.branches.root
        attempt = self.new(ticket, node, branch, number, cause)
        attempt.started = started
        if self.journal is not None:
            self.journal.adopted(attempt)
        return attempt

    def _note_told(self, branch_id: int) -> None:
        """One of the tasks that wait in the workflow's own queue waits no longer."""
        if branch_id == 0:
            self.tracing.left_queue(1)

    def prepare(self, attempt: Attempt) -> ExecutionContext:
        """Count the attempt and tell the tracer; return the context that the body sees."""
        context = attempt.branch.context
        definition = getattr(attempt.task, "_definition", None)
        if definition is not None:
            own = self.nodes.find(attempt.base_id, attempt.branch)
            if own is not None and self.nodes.tasks[own] is not attempt.task:
                note_limits(context, self.nodes.tasks[own], attempt.base_id)
            apply_limits(context, definition, attempt.task_id, attempt.base_id)
        if self.failures.failed:
            self.failures.forget([attempt.node])
        self.count(context, attempt.task_id, attempt.base_id, attempt.number)
        self.tracing.started(attempt)
        return context

    def count(self, context: ExecutionContext, task_id: str, base_id: str, number: int) -> None:
        """Count the start of an attempt; ``number`` is 0 for the first try."""
        retry_counts = context.retry_controller.retry_counts
        if number == 0:
            context.cycle_controller.increment(base_id)
            if retry_counts:
                retry_counts.pop(task_id, None)
        else:
            # Counted by attempt, for another activation of the same task may be waiting for its own.
            retry_counts[task_id] = number

    def returned(self, attempt: Attempt, result: Any, asked: Asked) -> None:
        """Apply what a body returned and asked for."""
        self.outcomes.returned(attempt, result, asked)

    def failed(self, attempt: Attempt, error: BaseException, least_delay: float, is_final: bool) -> None:
        """Note that a body failed."""
        self.outcomes.failed(attempt, error, least_delay, is_final)

    def begun(self, ticket: int) -> None:
        """Tell the tracer of an attempt that begins in the pool."""
        attempt = self.find(ticket)
        if isinstance(attempt, Attempt):
            self.tracing.started(attempt)

    def shown(self, node: int, branch_id: int) -> None:
        """Tell the tracer of an attempt that begins in the pool and of which there is no record."""
        if self.journal is not None:
            self.journal.begins(branch_id)
            if branch_id:
                self.branches.branch(branch_id)  # with a record of the branch, what ends in it is told here
            if self.tracing.silent:
                return
        if branch_id == 0:
            self.tracing.left_queue(1)
        self.tracing.task_started(self.nodes.tasks[node], self.branches.shown(branch_id))

    def shown_end(self, node: int, branch_id: int, ended: float) -> None:
        """Tell the tracer that such an attempt has ended well, at this time since the epoch."""
        self.tracing.task_ended(self.nodes.tasks[node], self.branches.shown(branch_id), None, ended)

    def find(self, ticket: int) -> AttemptInPlace | None:
        """Return a running attempt; None when it is unknown."""
        found = self.running.get(ticket)
        if found is None:
            for source in self.sources:
                known = source.attempt(ticket)
                if known is not None:
                    return self._record_of(ticket, known)
        return found

    def _record_of(self, ticket: int, known: tuple[int, int, int, int, int, int | None]) -> Attempt:
        """Make the record of an attempt that is under way."""
        node, branch_id, cause, number, tag, version = known
        branches = self.branches
        made = self.new(ticket, node, lambda: branches.start(branch_id, node, tag, number, version), number, cause)
        made.started = time.time()
        if tag or number:  # else it was when the attempt began
            self._note_told(branch_id)
        if tag:
            self.tags.apply(made, tag)
        self.running[ticket] = made
        if self.journal is not None:
            self.journal.started(made)
        return made

    def take(self, ticket: int) -> AttemptInPlace | None:
        """Return an attempt that is running no longer, None when it is unknown (abandoned before)."""
        found = self.find(ticket)
        if found is not None:
            del self.running[ticket]
            for source in self.sources:
                source.forget(ticket)
        return found

    def under_way(self) -> list[Attempt]:
        """Return all attempts that have started and have not ended, but for chunks of maps."""
        for source in self.sources:
            for ticket in source.tickets():
                self.find(ticket)
        found = [*self.running.values(), *(() if self.inline is None else (self.inline,))]
        return [attempt for attempt in found if isinstance(attempt, Attempt)]
