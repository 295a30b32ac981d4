"""What becomes of a body's exception: another attempt, or the error that the caller sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._tracebacks import add_note, show_user_lines
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    RetryLimitExceededError,
    WorkerCrashedError,
    as_runtime_error,
)

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext


#: So many characters of a message are kept.
_LONGEST = 200


class Failures:
    """The errors of one run.

    Attributes:
        cancelled: node id -> the error its ``cancel_workflow`` asked for.
        terminated: node id -> the message of its ``terminate_workflow``.
        failed: node id -> what it failed with at last, in a line.
        given_up: the ids of nodes that were stopped while they were running.
    """

    def __init__(self) -> None:
        self.cancelled: dict[int, GraflowWorkflowCanceledError] = {}
        self.terminated: dict[int, str] = {}
        self.failed: dict[int, str] = {}
        self.given_up: set[int] = set()
        #: Node id -> the ``SystemExit`` or ``KeyboardInterrupt`` that its body raised elsewhere.
        self.exits: dict[int, BaseException] = {}

    def note(self, node: int, error: BaseException) -> None:
        """Keep what a node failed with, for `explain`."""
        self.failed[node] = one_line(error)

    def forget(self, nodes: list[int]) -> None:
        """Forget how nodes ended that run once more."""
        for node in nodes:
            self.failed.pop(node, None)

    def retry_delay(self, context: ExecutionContext, task_id: str, error: Exception) -> float | None:
        """Return the seconds to wait before the next attempt, None when there is none left."""
        controller = context.retry_controller
        if not controller.accept_retry(task_id):
            return None
        controller.increment(task_id, error=error)
        return controller.get_delay(task_id)

    def final_error(self, context: ExecutionContext, task_id: str, error: Exception, kind: str = "task") -> Exception:
        """Return the error for a task (or group) that has no attempts left; its cause is the task's own exception."""
        show_user_lines(error)
        controller = context.retry_controller
        if isinstance(error, WorkerCrashedError) and error.deaths:
            return error
        count = 0
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
            _say_where(final, task_id, kind, count)
        return final


def _say_where(error: Exception, task_id: str, kind: str, attempts: int) -> None:
    """Let an error that wraps a body's exception name the task: as an attribute, and in its traceback."""
    if not hasattr(error, "task_id"):
        error.task_id = task_id  # type: ignore[attr-defined]
    add_note(error, f"in {kind} '{task_id}'" + (f", which was tried {attempts} times" if attempts > 1 else ""))


def one_line(error: BaseException) -> str:
    """Return an error as ``Type: message`` in one line; of one that only wraps a body's exception, that exception."""
    if type(error) is GraflowRuntimeError and error.cause is not None:
        error = error.cause
    try:
        lines = str(error).splitlines() or [""]
    except Exception:  # a class that can't make its message
        lines = [""]
    text = lines[0] if len(lines[0]) <= _LONGEST else f"{lines[0][:_LONGEST]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
