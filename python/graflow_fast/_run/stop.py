"""How a run ends: its stop reason, the error that the caller sees, the warning that it was cut short."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

from graflow_fast._actions import CANCELLED, COMPLETED, FAILED, MAX_STEPS, OVERRAN, TERMINATED

if TYPE_CHECKING:
    from typing import Protocol

    from graflow_fast._core import Scheduler
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.branches.table import BranchTable
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.outside import Outside
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What of a run tells why it ended."""

        context: ExecutionContext
        scheduler: Scheduler
        nodes: NodeTable
        branches: BranchTable
        failures: Failures
        outside: Outside


_STOP_REASONS = {
    COMPLETED: "completed",
    TERMINATED: "terminated",
    CANCELLED: "canceled",
    FAILED: "failed",
    MAX_STEPS: "max_steps",
    OVERRAN: "failed",
}


def finish(run: Parts, node: int, reason: int, branch_id: int) -> None:
    """Note why the run ended, and raise what ended it.

    Raises:
        GraflowRuntimeError: a task failed or cancelled the run, or somebody outside of it did.
    """
    context = run.context
    context.stop_reason = _STOP_REASONS[reason]
    if run.outside.has_ended_it():  # also if its last task has completed, or failed, before that was carried out
        error = run.outside.take_end()
        if error is not None:
            raise error
        return
    if reason == CANCELLED:
        if branch_id:
            run.branches.branch(branch_id).show_output_up_to_here()
        if node in run.failures.exits:
            context.stop_reason = "failed"
            raise run.failures.exits[node]
        context.ctrl_message = run.failures.cancelled[node].message
        raise run.failures.cancelled[node]
    if reason in (FAILED, OVERRAN):
        error = run.branches.root.failure
        assert error is not None, "the root branch failed without an error"
        raise error
    if reason == MAX_STEPS:
        waiting = [run.nodes.names[waits] for waits, _, _ in run.scheduler.pending_work()]
        warnings.warn(
            f"Workflow stopped after max_steps={context.max_steps} tasks; "
            f"waiting to run: {', '.join(waiting[:5]) or 'nothing'}",
            stacklevel=user_stack_level(),
        )


def user_stack_level() -> int:
    """Return the ``stacklevel`` that makes a warning point at the caller outside this package."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("graflow_fast"):
        frame = frame.f_back
        level += 1
    return level
