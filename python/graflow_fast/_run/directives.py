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
    from graflow_fast.core.task import Executable


class Given:
    """A task to run in place of its node's own, and which iteration of it (as in `Requested.tags`), if it is one."""

    __slots__ = ("iteration", "task")

    def __init__(self, task: Executable, iteration: tuple[str, Any, int] | None = None) -> None:
        self.task = task
        self.iteration = iteration


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
        #: By tag: activations that run another task than the node's own.
        self.given: dict[int, Given] = {}
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
                node, given = run.nodes.attach(executable, attempt.branch)
                tag = 0 if given is None else self._give(given)
                if new and executable.is_group:
                    run.group_count += attempt.branch.fork is None
                applied.append((GOTO if goto else ENQUEUE, node, tag))
                run.tracing.added(attempt, executable, False, new, goto)
            elif kind == "iterate":
                _, name, data = directive
                applied.append((ITERATE, attempt.node, self._iterate(attempt, name, data)))
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

    def _iterate(self, attempt: Attempt, name: str, data: Any) -> int:
        tag = self.new_tag(name, data, attempt.cause)
        given = self.given.get(attempt.tag)
        if given is not None:
            # Kept from the short ways, which would run the node's own task.
            self.given[tag] = Given(given.task, self.tags.pop(tag))
        return tag

    def _give(self, task: Executable) -> int:
        self._last_tag += 1
        self.given[self._last_tag] = Given(task)
        return self._last_tag

    def new_tag(self, name: str, data: Any, cause: int) -> int:
        """Return the tag by which the scheduler will name an iteration; it is used once."""
        self._last_tag += 1
        self.tags[self._last_tag] = (name, data, cause)
        return self._last_tag

    def restored_tag(self, iteration: tuple[str, Any] | None, cause: int, task: Executable | None) -> int:
        """Return the tag for work from a checkpoint: an iteration (id, data), a task to run in place of the node's."""
        if iteration is None:
            return 0 if task is None else self._give(task)
        tag = self.new_tag(*iteration, cause)
        if task is not None:
            self.given[tag] = Given(task, self.tags.pop(tag))
        return tag

    def task_of(self, tag: int) -> Executable | None:
        """Return the task that is to run in place of the node's own, None for the node's own."""
        given = self.given.get(tag)
        return None if given is None else given.task

    def _by_tag(self, tag: int) -> tuple[str, Any, int] | None:
        given = self.given.get(tag)
        return self.tags[tag] if given is None else given.iteration

    def iteration(self, tag: int) -> tuple[str, Any] | None:
        """Return the id and data of the iteration with that tag, None for an ordinary activation."""
        found = self._by_tag(tag) if tag else None
        return None if found is None else (found[0], unpacked(found[1]))

    def name_of(self, tag: int, name: str) -> str:
        """Return the id of the iteration with that tag, ``name`` for what is none."""
        found = self._by_tag(tag)
        return name if found is None else found[0]

    def apply_tag(self, attempt: Attempt, tag: int) -> None:
        """Let an attempt be that of an iteration, or of a given task; what the tag means is kept until `drop`."""
        attempt.tag = tag
        given = self.given.get(tag)
        if given is not None:
            attempt.task = given.task
        iteration = self._by_tag(tag)
        if iteration is not None:
            attempt.task_id, attempt.call, attempt.cause = iteration

    def drop(self, tag: int) -> None:
        """Forget what has completed."""
        if self.given.pop(tag, None) is None:
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
