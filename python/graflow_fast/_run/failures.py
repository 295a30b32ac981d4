"""What becomes of a body's exception: another attempt, or the error that the caller sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast.exceptions import (
    GraflowWorkflowCanceledError,
    RetryLimitExceededError,
    WorkerCrashedError,
    as_runtime_error,
)

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext


class Failures:
    """The errors of one run.

    Attributes:
        cancelled: node id -> the error its ``cancel_workflow`` asked for.
    """

    def __init__(self) -> None:
        self.cancelled: dict[int, GraflowWorkflowCanceledError] = {}
        #: Node id -> the ``SystemExit`` or ``KeyboardInterrupt`` that its body raised elsewhere.
        self.exits: dict[int, BaseException] = {}

    def retry_delay(self, context: ExecutionContext, task_id: str, error: Exception) -> float | None:
        """Return the seconds to wait before the next attempt, None when there is none left."""
        controller = context.retry_controller
        if not controller.accept_retry(task_id):
            return None
        controller.increment(task_id, error=error)
        return controller.get_delay(task_id)

    def final_error(self, context: ExecutionContext, task_id: str, error: Exception) -> Exception:
        """Return the error for a task that has no attempts left; its cause is the task's own exception."""
        controller = context.retry_controller
        if isinstance(error, WorkerCrashedError) and error.deaths:
            return error
        if controller.get_retry_count(task_id) > 0:
            count = controller.increment(task_id, error=error)
            final: Exception = RetryLimitExceededError(
                task_id=task_id,
                retry_count=count,
                max_retries=controller.get_max_retries_for_node(task_id),
                last_error=error,
            )
        else:
            final = as_runtime_error(error)
        if final is not error:
            final.__cause__ = error
            _say_where(final, task_id)
        return final


def _say_where(error: Exception, task_id: str) -> None:
    """Let an error that wraps a body's exception name the task: as an attribute, and in its traceback."""
    if not hasattr(error, "task_id"):
        error.task_id = task_id  # type: ignore[attr-defined]
    if hasattr(error, "add_note"):  # Python 3.11 on
        error.add_note(f"in task '{task_id}'")
