"""What bodies ask for, in the scheduler's terms: new tasks are attached, iterations get a tag, errors are kept.

Owns the iterations that wait and the checkpoint asked for; decides nothing about order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._run.actions import CANCEL, ENQUEUE, GOTO, ITERATE, TERMINATE
from graflow_fast._run.packing import unpacked
from graflow_fast.exceptions import GraflowWorkflowCanceledError

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.branches import Branch
    from graflow_fast._run.driver import Run


class Requested:
    """What the bodies of one run have asked for.

    Attributes:
        checkpoint: the (metadata, path) of a checkpoint that is to be written, None for none.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.checkpoint: tuple[dict[str, Any], str | None] | None = None
        #: By tag: an iteration's id, its data, and the node whose completion started its task.
        self.tags: dict[int, tuple[str, Any, int]] = {}
        self._last_tag = 0

    def apply(self, attempt: Attempt, asked: list[tuple[Any, ...]]) -> list[tuple[int, int, int]]:
        """Turn what a body asked for into the scheduler's terms, attaching what is new."""
        applied: list[tuple[int, int, int]] = []
        run = self.run
        for directive in asked:
            kind = directive[0]
            if kind == "next":
                _, executable, goto = directive
                new = run.nodes.find(executable.task_id, attempt.branch) is None
                node = run.nodes.attach(executable, attempt.branch)
                if new and executable.is_group:
                    run.group_count += attempt.branch.fork is None
                applied.append((GOTO if goto else ENQUEUE, node, 0))
                run.tracing.added(attempt, executable, False, new, goto)
            elif kind == "iterate":
                _, name, data = directive
                applied.append((ITERATE, attempt.node, self.new_tag(name, data, attempt.cause)))
                run.tracing.added(attempt, attempt.task, True, True, False, name)
            elif kind == "terminate":
                run.context.ctrl_message = run.failures.terminated[attempt.node] = directive[1]
                applied.append((TERMINATE, attempt.node, 0))
            elif kind == "cancel":
                error = GraflowWorkflowCanceledError(directive[1] or "Workflow canceled", task_id=attempt.task_id)
                run.failures.cancelled[attempt.node] = error
                applied.append((CANCEL, attempt.node, 0))
            elif kind == "node":
                run.nodes.add_named(directive[1], directive[2], attempt.branch)
            elif kind == "edge":
                run.nodes.add_edge(directive[1], directive[2], attempt.branch)
            else:
                self.checkpoint = (directive[1], directive[2])
        return applied

    def new_tag(self, name: str, data: Any, cause: int) -> int:
        """Return the tag by which the scheduler will name an iteration; it is used once."""
        self._last_tag += 1
        self.tags[self._last_tag] = (name, data, cause)
        return self._last_tag

    def iteration(self, tag: int) -> tuple[str, Any] | None:
        """Return the id and data of the iteration with that tag, None for an ordinary activation."""
        if not tag:
            return None
        name, data, _ = self.tags[tag]
        return name, unpacked(data)

    def by_tag(self, tag: int) -> tuple[str, Any, int]:
        """Return the id, data and cause of the iteration with that tag; it stays until `drop`."""
        return self.tags[tag]

    def name_of(self, tag: int) -> str:
        """Return the id of the iteration with that tag."""
        return self.tags[tag][0]

    def drop(self, tag: int) -> None:
        """Forget an iteration that has completed."""
        del self.tags[tag]

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
        CheckpointManager.create_checkpoint(self.run.context, path=path, metadata=metadata)
