"""A body that asked people and got no answer in time: the run writes a checkpoint that resumes there, and ends well.

Owns what of that is a run's. The request, and who waits for its answer, are those of an installed graflow.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graflow_fast._run.outside import UNANSWERED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.attempts.attempts import Attempts
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.branches.table import BranchTable
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.outside import Outside
    from graflow_fast.core.context import ExecutionContext

    class Parts(Protocol):
        """What of a run an unanswered request concerns."""

        context: ExecutionContext
        attempts: Attempts
        branches: BranchTable
        failures: Failures
        nodes: NodeTable
        outside: Outside
        last_result: object


_TYPES = "graflow_fast.hitl.types"


def is_unanswered(error: BaseException) -> bool:
    """Say whether a body's exception means that nobody has answered in time."""
    types = sys.modules.get(_TYPES)
    return types is not None and isinstance(error, types.FeedbackTimeoutError)


def leave(run: Parts, attempt: Attempt, error: Any) -> None:
    """Write the checkpoint of a run whose body got no answer, tell the request where it is, and end the run.

    Raises:
        GraflowRuntimeError: the checkpoint can't be written.
    """
    from graflow_fast.core.checkpoint import write_for_body

    manager = run.context.feedback_manager
    request = manager.get_request(error.feedback_id)
    metadata = {
        "reason": UNANSWERED,
        "feedback_id": error.feedback_id,
        "task_id": attempt.task_id if request is None else request.task_id,
        "timeout": error.timeout,
        "cycle_count": attempt.branch.context.cycle_controller.get_cycle_count(attempt.base_id),
        "engine": "graflow_fast",
    }
    with _under_way(run, attempt):
        path, written = write_for_body(attempt.branch.context, attempt.task_id, metadata, None)
    if request is not None:
        request.metadata.update(
            checkpoint_path=path,
            checkpoint_id=written.checkpoint_id,
            checkpoint_created_at=written.created_at,
            checkpoint_steps=written.steps,
            checkpoint_reason=UNANSWERED,
        )
        manager.store_request(request)
    run.last_result = None
    run.failures.note(attempt.node, error, attempt.base_id, attempt.branch)
    run.outside.end(UNANSWERED, f"nobody has answered the request {error.feedback_id} of task '{attempt.task_id}'")


@contextmanager
def _under_way(run: Parts, attempt: Attempt) -> Iterator[None]:
    """Let an attempt whose body has ended be one that is under way, and what begins again not count as started.

    So requests have the same names when the run is resumed: these are made of how often things have started.
    """
    running = run.attempts.running
    is_back = attempt not in run.attempts.under_way()
    if is_back:
        running[attempt.ticket] = attempt
    begins_again = [each.base_id for each in run.attempts.under_way() if each.branch.fork is None]
    begins_again += [run.nodes.names[fork.node] for fork in run.branches.forks() if fork.parent.fork is None]
    controller = run.context.cycle_controller
    controller.begin_again = begins_again
    try:
        yield
    finally:
        controller.begin_again = []
        if is_back:
            del running[attempt.ticket]
