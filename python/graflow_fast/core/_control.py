"""Control of a run from a context: forwarded to the task that is running there, or noted for later.

Owns what was called outside of tasks. What the calls mean is `task_context`'s and the driver's.
"""

from __future__ import annotations

from graflow_fast.core.running import running
from graflow_fast.exceptions import ConfigError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from graflow_fast._record.run import RecordedRun
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
    #: The store that has the record of the run, and the run's number there; None where nothing was recorded.
    _record: tuple[str, int] | None = None
    #: The (metadata, path) of a checkpoint that was asked for outside of any task, for the next run.
    _checkpoint_asked: tuple[dict[str, Any], str | None] | None = None

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

    @property
    def run(self) -> RecordedRun:
        """The record of the run, if it has ended: summary, critical path, all tasks, report.

        Raises:
            ConfigError: the run was not recorded.
            OSError: its store can't be read any more.
        """
        if self._record is None:
            raise ConfigError("This run was not recorded: execute(record=True) does that")
        from graflow_fast._record.loading import load_run

        return load_run(*self._record)

    def next_task(self, executable: Executable, goto: bool = False) -> str:
        """Do as `TaskExecutionContext.next_task`; outside of a running task, add the task and queue it."""
        if self.current_task_context is not None:
            name = self.current_task_context.next_task(executable, goto)
            self._asked_now()
            return name
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
        name = self.current_task_context.next_iteration(data)
        self._asked_now()
        return name

    def _asked_now(self) -> None:
        """A run carries out what its bodies ask for when they have returned."""

    def terminate_workflow(self, message: str) -> None:
        """Do as `TaskExecutionContext.terminate_workflow`; outside of its tasks, end the run that is under way.

        Any thread may do so: nothing further starts, and ``execute()`` returns. Without a run it is only noted.
        """
        if self._ended_from_outside("terminate", message):
            return
        if self.current_task_context is not None:
            self.current_task_context.terminate_workflow(message)
        self._control_called.add("terminate")
        self.ctrl_message = message

    def cancel_workflow(self, message: str) -> None:
        """Do as `TaskExecutionContext.cancel_workflow`; outside of its tasks, end the run that is under way.

        Any thread may do so: bodies in workers are stopped, and ``execute()`` raises `GraflowWorkflowCanceledError`.
        Without a run it is only noted.
        """
        if self._ended_from_outside("cancel", message):
            return
        if self.current_task_context is not None:
            self.current_task_context.cancel_workflow(message)
        self._control_called.add("cancel")
        self.ctrl_message = message

    def _ended_from_outside(self, how: str, message: str) -> bool:
        """End the run that is under way, unless a task asks for it; say whether that was done."""
        run = self._run
        if run is None or run.closed:
            return False
        asks = getattr(running.task_context, "execution_context", None)
        if asks is not None and asks._run is run:
            return False
        run.outside.end(how, message)
        return True

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
        if "goto" in self._control_called:
            return True
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
        return self._requested_checkpoint() is not None

    @property
    def checkpoint_request_metadata(self) -> dict[str, Any] | None:
        """The metadata of the checkpoint that was asked for; None when none was."""
        requested = self._requested_checkpoint()
        return None if requested is None else requested[0]

    @property
    def checkpoint_request_path(self) -> str | None:
        """The path of the checkpoint that was asked for; None when none was, or without a path."""
        requested = self._requested_checkpoint()
        return None if requested is None else requested[1]

    def _requested_checkpoint(self) -> tuple[dict[str, Any], str | None] | None:
        found: tuple[dict[str, Any], str | None] | None = self._checkpoint_asked
        if found is None and self._run is not None:
            found = self._run.requested.checkpoint
        return found

    def request_checkpoint(self, metadata: dict[str, Any] | None = None, *, path: str | None = None) -> None:
        """Ask for a checkpoint after the running task; outside of any, after the first task of the next run.

        Args:
            metadata: kept beside the checkpoint.
            path: where to write; default: ``checkpoints/<session>/...``.
        """
        if self.current_task_context is None:
            self._checkpoint_asked = (dict(metadata or {}), path)
        else:
            self.current_task_context.checkpoint(metadata, path=path)

    def clear_checkpoint_request(self) -> None:
        """Take back what `request_checkpoint` asked for outside of any task, or for a task that has returned."""
        self._checkpoint_asked = None
        if self._run is not None:
            self._run.requested.checkpoint = None
