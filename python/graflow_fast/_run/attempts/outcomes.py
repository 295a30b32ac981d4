"""What becomes of an attempt: its body returned, or it failed and is repeated, or its branch fails.

Owns the order in which the effects of one outcome are applied: result, directives, then the scheduler. Where the body
ran makes no difference here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._actions import CANCEL
from graflow_fast._body.limits import apply_limits, leave_limits
from graflow_fast._body.packing import store_result
from graflow_fast._run.attempts.unanswered import is_unanswered, leave
from graflow_fast.exceptions import GraflowError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from graflow_fast._core import Scheduler
    from graflow_fast._places.attempt import Asked
    from graflow_fast._places.bodies import Bodies
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.attempts.attempts import Attempts
    from graflow_fast._run.attempts.directives import Requested
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.attempts.tags import Tags
    from graflow_fast._run.branches.concurrency import Concurrency
    from graflow_fast._run.branches.table import BranchTable
    from graflow_fast._run.forgetting import Forgetting
    from graflow_fast._run.journal.journal import Journal
    from graflow_fast._run.log import Log
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.outside import Outside
    from graflow_fast._run.progress import Shown
    from graflow_fast._run.recording import Recording
    from graflow_fast._run.tracing import Tracing
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What an outcome changes of a run."""

        context: ExecutionContext
        bodies: Bodies
        scheduler: Scheduler
        nodes: NodeTable
        tags: Tags
        requested: Requested
        attempts: Attempts
        branches: BranchTable
        failures: Failures
        tracing: Tracing
        concurrency: Concurrency | None
        forgetting: Forgetting | None
        last_result: object
        recording: Recording | None
        journal: Journal | None
        clock: Callable[[], float]
        shown: Shown | None
        outside: Outside
        log: Log | None


class Outcomes:
    """Applies the outcomes of one run's attempts."""

    def __init__(self, run: Parts) -> None:
        self.run = run

    def returned(self, attempt: Attempt, result: Any, asked: Asked) -> None:
        """Apply what a body returned and asked for; its writes have been applied already."""
        run, journal = self.run, self.run.journal
        try:
            entry = None if journal is None else journal.packed(attempt, result, asked)
            directives = None if asked is None else run.requested.apply(attempt, asked)
        except GraflowError as error:  # what it asked for can't be done, so it fails as if it had raised
            self.failed(attempt, error)
            return
        if journal is not None and entry is not None:
            result = journal.returned(attempt, entry, result)
        self._store(attempt, result)
        self._completed(attempt, result, directives)

    def _store(self, attempt: Attempt, result: Any) -> None:
        if attempt.tag:
            self.run.tags.drop(attempt.tag)
        if attempt.branch.context.limited_by:
            self._leave_limits(attempt)
        if attempt.handled:
            return
        channel = attempt.branch.channel
        store_result(channel, attempt.task_id, result)
        if attempt.task_id is not attempt.base_id:
            store_result(channel, attempt.base_id, result)

    def _leave_limits(self, attempt: Attempt) -> None:
        nodes, branch = self.run.nodes, attempt.branch
        own = nodes.find(attempt.base_id, branch)
        if own is not None and nodes.tasks[own] is not attempt.task:
            definition = getattr(attempt.task, "_definition", None)
            leave_limits(branch.context, definition, attempt.task_id, attempt.base_id)

    def _completed(self, attempt: Attempt, result: Any, directives: list[tuple[int, int, int]] | None) -> None:
        run, branch = self.run, attempt.branch
        if run.concurrency is not None:
            branch.commit()
        cancelled = directives is not None and any(kind == CANCEL for kind, _, _ in directives)
        if branch.fork is None:
            if not cancelled:
                run.context.mark_task_completed(attempt.task_id)
            run.last_result = result
        run.tracing.ended(attempt, None)
        checkpoint = run.requested.take_checkpoint(branch)
        run.scheduler.complete(attempt.ticket, directives, run.clock())
        if run.forgetting is not None:
            run.forgetting.completed(attempt, directives)
        if checkpoint is not None and not cancelled:
            run.requested.write_checkpoint(checkpoint)

    def failed(self, attempt: Attempt, error: BaseException, least_delay: float = 0.0, is_final: bool = False) -> None:
        """Note that a body raised: repeat it if its policy says so, else its branch fails.

        Args:
            attempt: whose body it was.
            error: what it raised, or what stands for that.
            least_delay: seconds to wait before it is repeated, if its policy does not ask for more.
            is_final: another attempt would only repeat it, so none is made whatever its policy says.
        """
        run, branch = self.run, attempt.branch
        run.bodies.ran()  # a policy may be asked, which is the user's code
        if is_unanswered(error):
            run.tracing.ended(attempt, None)
            leave(run, attempt, error)
            return
        run.tracing.ended(attempt, error if isinstance(error, Exception) else None)
        if run.recording is not None:
            run.recording.failed(attempt.node, branch.id, attempt.number, error)
        if not attempt.handled:
            store_result(branch.channel, attempt.task_id, error)
        if not isinstance(error, Exception):
            self._left(attempt, error)
            return
        delay = self._delay(attempt, error)
        if is_final:
            branch.context.retry_controller.set_node_max_retries(attempt.task_id, 0)
            delay = None
        if delay is None:
            run.failures.note(attempt.node, error, attempt.base_id, branch)
            branch.failure = run.failures.final_error(branch.context, attempt.task_id, error)
        elif delay < least_delay:
            delay = least_delay
        if run.concurrency is not None and branch.fork is None:
            run.concurrency.failed(branch, attempt.node, attempt.tag, attempt.number, delay is not None)
            if delay is None:
                store_result(run.context.channel, attempt.task_id, error)
        if run.journal is not None:
            run.journal.failed(attempt, error, delay, is_final)
        if run.shown is not None:
            run.shown.failed(attempt.node, attempt.number, error, is_final=delay is None)
        if run.log is not None:
            run.log.failed(attempt.task_id, attempt.number, error, delay)
        run.scheduler.fail(attempt.ticket, delay, run.clock())

    def _left(self, attempt: Attempt, error: BaseException) -> None:
        """Note that a body raised ``SystemExit`` or the like.

        As inline, it leaves execute() once what comes before it in order has ended; no policy tolerates it.
        """
        run, branch = self.run, attempt.branch
        run.failures.exits[attempt.node] = error
        run.failures.note(attempt.node, error, attempt.base_id, branch)
        if run.concurrency is not None and branch.fork is None:
            run.concurrency.failed(branch, attempt.node, attempt.tag, attempt.number, False)
        run.scheduler.complete(attempt.ticket, [(CANCEL, attempt.node, 0)], time.monotonic())

    def _delay(self, attempt: Attempt, error: Exception) -> float | None:
        """Return the seconds until the next attempt, None when there is none left."""
        context = attempt.branch.context
        # Another task of the name may have set its limits since, or nobody has asked for this one's so far.
        definition = getattr(attempt.task, "_definition", None)
        if definition is not None:
            apply_limits(context, definition, attempt.task_id, attempt.base_id)
        if attempt.number:
            context.retry_controller.retry_counts[attempt.task_id] = attempt.number
        else:
            context.retry_controller.retry_counts.pop(attempt.task_id, None)
        journal = self.run.journal
        if journal is not None and journal.replaying and journal.delay is not None:
            return journal.repeated(context, attempt.task_id, error, journal.delay)
        delay = self.run.failures.retry_delay(context, attempt.task_id, error)
        return None if journal is not None and journal.replaying else delay
