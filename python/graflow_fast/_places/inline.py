"""Bodies in the calling thread, one after the other.

Owns nothing but how one is called. Most are plain steps (`plain_steps`), of which a streak runs at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast._body.captured import CapturedThreads, Pieces, capture
from graflow_fast.core import registry
from graflow_fast.core.task_context import TaskExecutionContext

if TYPE_CHECKING:
    from graflow_fast._actions import Action
    from graflow_fast._places.attempt import Map, TaskAttempt
    from graflow_fast._places.host import StepHost
    from graflow_fast._places.place import ItemPlace
    from graflow_fast._places.plain_steps import PlainSteps


class Inline:
    """The calling thread."""

    def __init__(self, host: StepHost, steps: PlainSteps | None) -> None:
        self._host = host
        self._steps = steps

    @property
    def in_body(self) -> bool:
        """Whether a body of a task is running in the driver's thread."""
        return self._host.attempts.inline is not None or (self._steps is not None and self._steps.in_body)

    def go_on(self, action: Action) -> Action | None:
        """Run plain steps from ``action`` on; return the first action that is none."""
        return action if self._steps is None else self._steps.go_on(action)

    def submit(self, attempt: TaskAttempt) -> None:
        """Run an attempt now."""
        attempts, bodies = self._host.attempts, self._host.bodies
        context = attempt.prepare()
        bodies.ran()
        branch = attempt.branch
        task_context = TaskExecutionContext(attempt.task_id, context, attempt.base_id)
        attempt.started = task_context.start_time
        outer_running, registry.running.task_context = registry.running.task_context, task_context
        outer_context, context.current_task_context = context.current_task_context, task_context
        attempts.inline = attempt
        try:
            if branch.fork is None or branch.flows():
                result = bodies.call(attempt, context, task_context)
            else:
                # Members before this one are not done, so what it prints waits for its turn.
                pieces = Pieces()
                try:
                    with CapturedThreads(), capture(pieces):
                        result = bodies.call(attempt, context, task_context)
                finally:  # and what its subprocesses have printed is among the pieces
                    branch.output.write(pieces)
        except Exception as error:
            attempt.failed(error)
            return
        finally:
            attempts.inline = None
            context.current_task_context = outer_context
            registry.running.task_context = outer_running
        attempt.returned(result, task_context.directives)

    def for_map(self, owner: Map) -> ItemPlace:
        """Return where the items of a map run here."""
        from graflow_fast._places.items import InlineItems

        return InlineItems(self._host, owner)

    def give_up(self, ticket: int) -> bool:
        """Nothing to stop: whoever asks is in this thread."""
        return False

    def busy(self) -> bool:
        """There are no news: what was submitted has ended."""
        return False

    def collect(self, timeout: float | None) -> bool:
        """Return at once."""
        return False

    def wake(self, descriptor: int) -> None:
        """Nobody is woken."""

    def close(self, interrupted: bool = False) -> None:
        """Nothing is left: what was submitted has ended."""
