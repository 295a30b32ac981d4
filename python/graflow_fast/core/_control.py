"""Control of a run from a context: forwarded to the task that is running there, or noted for later.

Owns what was called outside of tasks. What the calls mean is `task_context`'s and the driver's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.graph import TaskGraph
    from graflow_fast.core.task import Executable
    from graflow_fast.core.task_context import TaskExecutionContext


class Control:
    """The part of `ExecutionContext` that changes the course of a run."""

    graph: TaskGraph
    add_to_queue: Callable[[Executable], None]
    parent_context: ExecutionContext | None
    current_task_context: TaskExecutionContext | None
    ctrl_message: str | None
    stop_reason: str | None
    _control_called: set[str]
    _group: str | None
    _run: Any
    #: Whether `reset_control_flags` was called since a run ended.
    _ending_forgotten = False

    @property
    def current_task_id(self) -> str | None:
        """The id of the task whose body is running in this context, if any."""
        context = self
        while context.current_task_context is None:
            if context.parent_context is None:
                group: str | None = context._group
                return group
            if context._group is not None:
                return context._group
            context = context.parent_context
        return context.current_task_context.task_id

    def next_task(self, executable: Executable, goto: bool = False) -> str:
        """Do as `TaskExecutionContext.next_task`; outside of a running task, add the task and queue it."""
        if self.current_task_context is not None:
            return self.current_task_context.next_task(executable, goto)
        if executable.task_id not in self.graph.nodes:
            self.graph.add_node(executable)
        self.add_to_queue(executable)
        return executable.task_id

    def next_iteration(self, data: Any = None, task_id: str | None = None) -> str:
        """Do as `TaskExecutionContext.next_iteration`.

        Raises:
            ValueError: no task is running here.
        """
        if self.current_task_context is None:
            if task_id is not None and not self.graph.has_node(task_id):
                raise ValueError(f"Task {task_id} not found in graph")
            raise ValueError("No current task available for iteration")
        return self.current_task_context.next_iteration(data)

    def terminate_workflow(self, message: str) -> None:
        """Do as `TaskExecutionContext.terminate_workflow`; outside of a running task, only note it."""
        if self.current_task_context is not None:
            self.current_task_context.terminate_workflow(message)
        self._control_called.add("terminate")
        self.ctrl_message = message

    def cancel_workflow(self, message: str) -> None:
        """Do as `TaskExecutionContext.cancel_workflow`; outside of a running task, only note it."""
        if self.current_task_context is not None:
            self.current_task_context.cancel_workflow(message)
        self._control_called.add("cancel")
        self.ctrl_message = message

    def _ended(self, how: str) -> bool:
        return self.stop_reason == how and not self._ending_forgotten

    @property
    def terminate_called(self) -> bool:
        """Whether ``terminate_workflow`` was called, by the running task or by one before."""
        return self._ended("terminated") or "terminate" in self._control_called or self._asked("terminate")

    @property
    def cancel_called(self) -> bool:
        """Whether ``cancel_workflow`` was called, by the running task or by one before."""
        return self._ended("canceled") or "cancel" in self._control_called or self._asked("cancel")

    def _asked(self, kind: str) -> bool:
        """Say whether the running task has asked for that."""
        asked = None if self.current_task_context is None else self.current_task_context.directives
        return any(directive[0] == kind for directive in asked or ())

    @property
    def goto_called(self) -> bool:
        """Whether the running task has jumped."""
        asked = None if self.current_task_context is None else self.current_task_context.directives
        return any(directive[0] == "next" and directive[2] for directive in asked or ())

    def reset_control_flags(self) -> None:
        """Forget how the workflow was ended, and what was called outside of tasks."""
        self._control_called.clear()
        self._ending_forgotten = True
        self.ctrl_message = None

    @property
    def checkpoint_requested(self) -> bool:
        """Whether a checkpoint was asked for that has not been written yet."""
        return self._run is not None and self._run.requested.checkpoint is not None

    def request_checkpoint(self, metadata: dict[str, Any] | None = None, *, path: str | None = None) -> None:
        """Ask for a checkpoint after the running task.

        Raises:
            ValueError: no task is running here.
        """
        if self.current_task_context is None:
            raise ValueError("request_checkpoint() works inside a running task; no task of this context is running")
        self.current_task_context.checkpoint(metadata, path=path)
