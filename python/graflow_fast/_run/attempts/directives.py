"""What bodies ask for, in the scheduler's terms: new tasks are attached, iterations get a tag, errors are kept.

Owns the checkpoint asked for; decides nothing about order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._actions import CANCEL, ENQUEUE, GOTO, ITERATE, TERMINATE
from graflow_fast.core.composition import Fragment
from graflow_fast.exceptions import GraflowWorkflowCanceledError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.attempts.failures import Failures
    from graflow_fast._run.attempts.tags import Tags
    from graflow_fast._run.branches.branches import Branch
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.tracing import Tracing
    from graflow_fast.core.context import ExecutionContext


class Requested:
    """What the bodies of one run have asked for.

    Attributes:
        checkpoint: the (metadata, path) of a checkpoint that is to be written, None for none.
    """

    def __init__(
        self, context: ExecutionContext, nodes: NodeTable, tags: Tags, failures: Failures, tracing: Tracing
    ) -> None:
        self.context = context
        self.nodes = nodes
        self.tags = tags
        self.failures = failures
        self.tracing = tracing
        self.checkpoint: tuple[dict[str, Any], str | None] | None = None

    def apply(self, attempt: Attempt, asked: Iterable[tuple[Any, ...]]) -> list[tuple[int, int, int]]:
        """Turn what a body asked for into the scheduler's terms, attaching what is new."""
        applied: list[tuple[int, int, int]] = []
        nodes, tags, tracing = self.nodes, self.tags, self.tracing
        for directive in asked:
            kind = directive[0]
            if kind == "next":
                _, executable, goto = directive
                new = nodes.find(executable.task_id, attempt.branch) is None
                node, given = nodes.attach(executable, attempt.branch)
                executable = executable.passed if isinstance(executable, Fragment) else executable
                tag = 0 if given is None else tags.give(given)
                if new and executable.is_group:
                    nodes.group_count += attempt.branch.fork is None
                applied.append((GOTO if goto else ENQUEUE, node, tag))
                tracing.added(attempt, executable, False, new, goto)
            elif kind == "iterate":
                _, name, data = directive
                applied.append((ITERATE, attempt.node, tags.iterate(attempt, name, data)))
                tracing.added(attempt, attempt.task, True, True, False, name)
            elif kind == "terminate":
                self.context.ctrl_message = self.failures.terminated[attempt.node] = directive[1]
                applied.append((TERMINATE, attempt.node, 0))
            elif kind == "cancel":
                error = GraflowWorkflowCanceledError(directive[1] or "Workflow canceled", task_id=attempt.task_id)
                self.failures.cancelled[attempt.node] = error
                applied.append((CANCEL, attempt.node, 0))
            elif kind == "node":
                nodes.add_named(directive[1], directive[2], attempt.branch)
            elif kind == "edge":
                nodes.add_edge(directive[1], directive[2], attempt.branch)
            else:
                self.checkpoint = (directive[1], directive[2])
        return applied

    def take_checkpoint(self, branch: Branch) -> tuple[dict[str, Any], str | None] | None:
        """Return the checkpoint to write now; one that a member asked for waits for the outermost join."""
        if branch.fork is not None:
            return None
        request, self.checkpoint = self.checkpoint, None
        return request

    def write_checkpoint(self, request: tuple[dict[str, Any], str | None]) -> None:
        """Write a checkpoint of the run as it stands."""
        from graflow_fast.core.checkpoint import CheckpointManager

        metadata, path = request
        CheckpointManager.create_checkpoint(self.context, path=path, metadata=metadata)
