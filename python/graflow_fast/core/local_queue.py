"""The queue of a context: `ExecutionContext.queue`. Decides no order, and is not asked while a run is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_fast.core._waiting import WaitingTasks
from graflow_fast.core.task_queue import TaskQueue, TaskSpec, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graflow_fast.core.context import ExecutionContext

__all__ = ["LocalTaskQueue"]


class LocalTaskQueue(TaskQueue):
    """Tasks that wait, by their names; the context's graph knows the tasks."""

    def __init__(self, execution_context: ExecutionContext, start_node: str | None = None) -> None:
        """Make a queue of its own.

        Args:
            execution_context: where the tasks are known.
            start_node: the task that waits at first; None (default): none does.
        """
        super().__init__()
        self.execution_context = execution_context
        known = start_node is not None and execution_context.graph.has_node(start_node)
        self._own: WaitingTasks | None = WaitingTasks([start_node] if start_node is not None and known else [])

    @classmethod
    def of_context(cls, execution_context: ExecutionContext) -> LocalTaskQueue:
        """Return a queue of what waits in a context."""
        made = cls(execution_context)
        made._own = None
        return made

    @property
    def _waiting(self) -> WaitingTasks:
        return self.execution_context.pending if self._own is None else self._own

    def enqueue(self, task_spec: TaskSpec) -> bool:
        """Let a task wait behind the others."""
        graph = self.execution_context.graph
        if not graph.has_node(task_spec.task_id):
            graph.add_node(task_spec.executable, task_spec.task_id)
        self._waiting.append(task_spec.task_id)
        self._task_specs[task_spec.task_id] = task_spec
        if self.enable_metrics:
            self.metrics["enqueued"] += 1
        return True

    def dequeue(self) -> TaskSpec | None:
        """Take the next task, None when none waits."""
        if not self._waiting:
            return None
        spec = self._spec_of(self._waiting.popleft())
        spec.status = TaskStatus.RUNNING
        if self.enable_metrics:
            self.metrics["dequeued"] += 1
        return spec

    def _spec_of(self, task_id: str) -> TaskSpec:
        spec = self._task_specs.get(task_id)
        if spec is None:
            context = self.execution_context
            made = TaskSpec(context.graph.get_node(task_id), context, trace_id=context.trace_id)
            spec = self._task_specs[task_id] = made
        return spec

    def is_empty(self) -> bool:
        """Say whether none waits."""
        return not self._waiting

    def cleanup(self) -> None:
        """Forget all."""
        self._waiting.clear()

    def get_pending_task_specs(self) -> list[TaskSpec]:
        """Return the waiting tasks, next one first."""
        return [self._spec_of(task_id) for task_id in self._waiting]

    def to_list(self) -> list[str]:
        """Return the waiting tasks' ids, next one first."""
        return list(self._waiting)

    def size(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def peek_next_node(self) -> str | None:
        """Return the next id without taking it, None when none waits."""
        return self._waiting[0] if self._waiting else None

    def get_next_task(self) -> str | None:
        """Take the next id, None when none waits."""
        return self._waiting.popleft() if self._waiting else None

    def retry_failed_task(self, task_spec: TaskSpec) -> bool:
        """Let a failed task wait again, if failed tasks are taken back; return whether it does."""
        if not self.enable_retry or not task_spec.can_retry():
            return False
        task_spec.status = TaskStatus.READY
        return self.enqueue(task_spec)

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[str]:
        return iter(self._waiting)
