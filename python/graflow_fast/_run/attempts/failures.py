"""What becomes of a body's exception: another attempt, or the error that the caller sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._messages import message_of
from graflow_fast._tracebacks import add_note, add_place, show_user_lines
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    RetryLimitExceededError,
    WorkerCrashedError,
    as_runtime_error,
)

if TYPE_CHECKING:
    from graflow_fast._run.branches.branches import Branch
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.cycle import CycleController
    from graflow_fast.core.retry import RetryPolicy


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
        #: Node id -> the loop counters around its branch, and what they said of it when it failed.
        self._counts: dict[int, list[tuple[CycleController, int]]] = {}
        #: Node id -> the ``SystemExit`` or ``KeyboardInterrupt`` that its body raised elsewhere.
        self.exits: dict[int, BaseException] = {}
        #: The latest error that a policy did not let be repeated, and what the policy's function raised, if it did.
        self._refused: tuple[Exception, Exception | None] | None = None

    def note(self, node: int, error: BaseException, name: str, branch: Branch) -> None:
        """Keep what a node failed with in a branch, for `explain`, and how often those around had run it then."""
        self.failed[node] = one_line(error)
        counts = self._counts[node] = []
        while branch.fork is not None:
            branch = branch.fork.parent
            controller = branch.context.cycle_controller
            counts.append((controller, controller.get_cycle_count(name)))

    def last_of(self, node: int, name: str) -> str | None:
        """Return what a node failed with when it last ran, None if it did not."""
        if any(controller.get_cycle_count(name) != count for controller, count in self._counts.get(node, ())):
            return None  # it ran once more where the branch that failed was tolerated
        return self.failed.get(node)

    def forget(self, nodes: list[int]) -> None:
        """Forget how nodes ended that run once more."""
        for node in nodes:
            self.failed.pop(node, None)
            self._counts.pop(node, None)

    def retry_delay(self, context: ExecutionContext, task_id: str, error: Exception) -> float | None:
        """Return the seconds to wait before the next attempt, None when there is none left or the policy wants none."""
        controller = context.retry_controller
        if not controller.accept_retry(task_id):
            return None
        policy = controller.get_policy_for_node(task_id)
        if policy is not None and not self._is_repeated(policy, error):
            return None
        controller.increment(task_id, error=error)
        return controller.get_delay(task_id)

    def _is_repeated(self, policy: RetryPolicy, error: Exception) -> bool:
        """Say whether a policy wants a task tried again after this error, and keep that it does not."""
        repeats = getattr(policy, "repeats", None)
        if repeats is None:  # a policy of another make, which knows delays alone
            return True
        try:
            if repeats(error):
                return True
        except Exception as raised:
            raised.__context__ = error
            self._refused = error, raised
        else:
            self._refused = error, None
        return False

    def final_error(self, context: ExecutionContext, task_id: str, error: Exception, kind: str = "task") -> Exception:
        """Return the error for a task (or group) that has no attempts left; its cause is the task's own exception."""
        show_user_lines(error)
        controller = context.retry_controller
        if isinstance(error, WorkerCrashedError) and error.deaths:
            return error
        count = 0
        refused, self._refused = self._refused, None
        if refused is not None and refused[0] is error:
            return _not_repeated(error, refused[1], task_id, controller.get_retry_count(task_id) + 1)
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


def _not_repeated(error: Exception, raised: Exception | None, task_id: str, attempts: int) -> Exception:
    """Return the error for a task whose policy did not want it to be tried again, or raised when it was asked."""
    if raised is not None:
        text = f"The retry policy of task '{task_id}' could not say whether to try it again"
        final: Exception = GraflowRuntimeError(text, raised)
        final.task_id = task_id  # type: ignore[attr-defined]
        return final
    final = as_runtime_error(error)
    if final is not error:
        _say_where(final, task_id, "task", attempts)
        add_note(final, f"its retry policy does not repeat it after {type(error).__name__}")
    return final


def _say_where(error: Exception, task_id: str, kind: str, attempts: int) -> None:
    """Let an error that wraps a body's exception name the task: as an attribute, and in its traceback."""
    if not hasattr(error, "task_id"):
        error.task_id = task_id  # type: ignore[attr-defined]
    add_place(error, f"{kind} '{task_id}'" + (f", which was tried {attempts} times" if attempts > 1 else ""))


def one_line(error: BaseException) -> str:
    """Return an error as ``Type: message`` in one line; of one that only wraps a body's exception, that exception."""
    if type(error) is GraflowRuntimeError and error.cause is not None:
        error = error.cause
    lines = message_of(error).splitlines() or [""]
    text = lines[0] if len(lines[0]) <= _LONGEST else f"{lines[0][:_LONGEST]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
