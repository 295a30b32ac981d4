"""Running bodies by hand in a context: task contexts that are made, pushed and taken off outside of a run.

Owns which task is current then, and what is asked for before a run. Tests of tasks and handlers of one's own use it;
a run does all of this by itself. Must not know runs.
"""

from __future__ import annotations

from contextlib import contextmanager

from graflow_fast.core._control import Control

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from graflow_fast.core.local_queue import LocalTaskQueue
    from graflow_fast.core.task import Executable
    from graflow_fast.core.task_context import TaskExecutionContext
    from graflow_fast.core.tracer import Tracer


class ByHand(Control):
    """The part of `ExecutionContext` that stands in for a run."""

    tracer: Tracer
    #: The task contexts that were current before those which were pushed.
    _outer_tasks: list[TaskExecutionContext | None] | None = None
    #: The waiting tasks as objects, made when they are first asked for.
    _queue: LocalTaskQueue | None = None

    def create_task_context(self, task_id: str) -> TaskExecutionContext:
        """Return a new context for a body of that task; it is current once it is pushed."""
        from graflow_fast.core.task_context import TaskExecutionContext

        return TaskExecutionContext(task_id, self)

    def push_task_context(self, task_ctx: TaskExecutionContext) -> None:
        """Let a task be the one that is running here, until `pop_task_context`."""
        if self._outer_tasks is None:
            self._outer_tasks = []
        self._outer_tasks.append(self.current_task_context)
        self.current_task_context = task_ctx

    def pop_task_context(self) -> TaskExecutionContext | None:
        """Return the task context that was pushed last, and let the one before be current; None if none was pushed."""
        if not self._outer_tasks:
            return None
        popped, self.current_task_context = self.current_task_context, self._outer_tasks.pop()
        return popped

    @contextmanager
    def executing_task(self, task: Executable) -> Iterator[TaskExecutionContext]:
        """Let a task be the running one in a ``with`` block: counted, with its limits, and told to the tracer.

        What the block asks for by ``next_task`` waits in this context afterwards.

        Args:
            task: what is run in the block, by hand.
        """
        from graflow_fast._body.direct import count_start

        context: Any = self  # which it is
        count_start(task, context)
        made = self.create_task_context(task.task_id)
        self.tracer.on_task_start(task, context)
        self.push_task_context(made)
        error: Exception | None = None
        try:
            task.set_execution_context(context)
            yield made
        except Exception as raised:
            error = raised
            raise
        finally:
            self.tracer.on_task_end(task, context, result=None, error=error)
            self.pop_task_context()
            if error is None:
                self._carry_on(made)

    def _carry_on(self, made: TaskExecutionContext) -> None:
        """Note what a body that was run by hand asked for, as if it had been asked outside of any task."""
        for directive in made.directives or ():
            kind = directive[0]
            if kind == "next":
                self.next_task(directive[1])
                if directive[2]:
                    self._control_called.add("goto")
            elif kind == "iterate":
                self._add_iteration(made.task_id, directive[1], directive[2])
            elif kind in ("terminate", "cancel"):
                self._control_called.add(kind)
                self.ctrl_message = directive[1]
            elif kind == "checkpoint":
                self.request_checkpoint(directive[1], path=directive[2])

    def _asked_now(self) -> None:
        """Carry out at once what is asked of this context, not of the task's own, while no run is under way."""
        current = self.current_task_context
        if self._outer_tasks and self._run is None and current is not None:
            asked, current.directives = current.directives, None
            self.current_task_context, made = None, current
            try:
                made.directives = asked
                self._carry_on(made)
            finally:
                made.directives, self.current_task_context = None, current

    def _add_iteration(self, task_id: str, name: str, data: Any) -> None:
        """Let a task run once more, as a task of its own that waits here."""
        from graflow_fast.core.task import iteration_of

        context: Any = self
        again = iteration_of(context.graph.get_node(task_id), name, data)
        context.graph.add_node(again, name)
        context.add_to_queue(again)

    def reset_goto_flag(self) -> None:
        """Forget a jump that was asked for by hand."""
        self._control_called.discard("goto")

    def reset_terminate_flag(self) -> None:
        """Forget that the workflow was terminated, with the message."""
        self._forget_ending("terminate", "terminated")

    def reset_cancel_flag(self) -> None:
        """Forget that the workflow was cancelled, with the message."""
        self._forget_ending("cancel", "canceled")

    def _forget_ending(self, kind: str, reason: str) -> None:
        self._control_called.discard(kind)
        self.ctrl_message = None
        if self.stop_reason == reason:
            self._ending_forgotten = True
