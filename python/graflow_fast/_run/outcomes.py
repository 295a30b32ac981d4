"""What becomes of an attempt: its body returned, or it failed and is repeated, or its branch fails.

Owns the order in which the effects of one outcome are applied: result, directives, then the scheduler. Where the body
ran makes no difference here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._run.actions import CANCEL
from graflow_fast._run.attempts import apply_limits
from graflow_fast._run.packing import store_result
from graflow_fast.exceptions import GraflowError

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run

#: What a body asked for, as it said it; None for nothing.
Asked = list[tuple[Any, ...]] | None


class Outcomes:
    """Applies the outcomes of one run's attempts."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def returned(self, attempt: Attempt, result: Any, asked: Asked) -> None:
        """Apply what a body returned and asked for; its writes have been applied already."""
        run = self.run
        try:
            directives = None if asked is None else run.requested.apply(attempt, asked)
        except GraflowError as error:  # what it asked for can't be done, so it fails as if it had raised
            self.failed(attempt, error)
            return
        self._store(attempt, result)
        self._completed(attempt, result, directives)

    def _store(self, attempt: Attempt, result: Any) -> None:
        if attempt.tag:
            self.run.requested.drop(attempt.tag)
        if attempt.handled:
            return
        channel = attempt.branch.channel
        store_result(channel, attempt.task_id, result)
        if attempt.task_id is not attempt.base_id:
            store_result(channel, attempt.base_id, result)

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
        run.scheduler.complete(attempt.ticket, directives, time.monotonic())
        if run.forgetting is not None:
            run.forgetting.completed(attempt, directives)
        if checkpoint is not None and not cancelled:
            run.requested.write_checkpoint(checkpoint)

    def failed(self, attempt: Attempt, error: BaseException, least_delay: float = 0.0) -> None:
        """Note that a body raised: repeat it if its policy says so, else its branch fails.

        Args:
            attempt: whose body it was.
            error: what it raised, or what stands for that.
            least_delay: seconds to wait before it is repeated, if its policy does not ask for more.
        """
        run, branch = self.run, attempt.branch
        run.tracing.ended(attempt, error if isinstance(error, Exception) else None)
        if not attempt.handled:
            store_result(branch.channel, attempt.task_id, error)
        if not isinstance(error, Exception):
            self._left(attempt, error)
            return
        delay = self._delay(attempt, error)
        if delay is None:
            run.failures.note(attempt.node, error)
            branch.failure = run.failures.final_error(branch.context, attempt.task_id, error)
        elif delay < least_delay:
            delay = least_delay
        if run.concurrency is not None and branch.fork is None:
            run.concurrency.failed(branch, attempt.node, attempt.tag, attempt.number, delay is not None)
            if delay is None:
                store_result(run.context.channel, attempt.task_id, error)
        run.scheduler.fail(attempt.ticket, delay, time.monotonic())

    def failed_for_good(self, attempt: Attempt, error: Exception) -> None:
        """Note that a body failed in a way that another attempt would only repeat."""
        attempt.branch.context.retry_controller.set_node_max_retries(attempt.task_id, 0)
        self.failed(attempt, error)

    def _left(self, attempt: Attempt, error: BaseException) -> None:
        """Note that a body raised ``SystemExit`` or the like.

        As inline, it leaves execute() once what comes before it in order has ended; no policy tolerates it.
        """
        run, branch = self.run, attempt.branch
        run.failures.exits[attempt.node] = error
        run.failures.note(attempt.node, error)
        if run.concurrency is not None and branch.fork is None:
            run.concurrency.failed(branch, attempt.node, attempt.tag, attempt.number, False)
        run.scheduler.complete(attempt.ticket, [(CANCEL, attempt.node, 0)], time.monotonic())

    def _delay(self, attempt: Attempt, error: Exception) -> float | None:
        """Return the seconds until the next attempt, None when there is none left."""
        context = attempt.branch.context
        if context.limited_by:
            # Another task of the name may have set its limits since, or before a step that ran the short way.
            definition = getattr(attempt.task, "_definition", None)
            if definition is not None and context.limited_by.get(attempt.base_id, definition) is not definition:
                apply_limits(context, definition, attempt.task_id, attempt.base_id)
        if attempt.number:
            context.retry_controller.retry_counts[attempt.task_id] = attempt.number
        else:
            context.retry_controller.retry_counts.pop(attempt.task_id, None)
        return self.run.failures.retry_delay(context, attempt.task_id, error)
