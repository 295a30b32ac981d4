"""A task that waits, with what is known of it, and what a queue of such tasks can do. Knows no run."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable

__all__ = ["TaskQueue", "TaskSpec", "TaskStatus"]


class TaskStatus(Enum):
    """How far a task is."""

    READY = "ready"
    """It waits."""
    RUNNING = "running"
    """It was taken off its queue."""
    SUCCESS = "success"
    """It has completed."""
    ERROR = "error"
    """It has failed."""


@dataclass
class TaskSpec:
    """A task that waits in a context.

    Attributes:
        executable: the task.
        execution_context: where it waits.
        status: how far it is.
        created_at: since when, in seconds since the epoch.
        retry_count: how many attempts of it have failed; max_retries: how many failed attempts are repeated.
        last_error: the message of the last failure, None without one.
        group_id: the group that it is a member of, None for none.
        trace_id: of the run; parent_span_id: the task that queued it.
    """

    executable: Executable
    execution_context: ExecutionContext
    status: TaskStatus = TaskStatus.READY
    created_at: float = field(default_factory=time.time)
    retry_count: int = 0
    max_retries: int = 3
    last_error: str | None = None
    group_id: str | None = None
    trace_id: str | None = None
    parent_span_id: str | None = None

    @property
    def task_id(self) -> str:
        """The task's id."""
        return self.executable.task_id

    def __lt__(self, other: TaskSpec) -> bool:
        return self.created_at < other.created_at

    def can_retry(self) -> bool:
        """Say whether a failed attempt would be repeated."""
        return self.retry_count < self.max_retries

    def increment_retry(self, error_message: str | None = None) -> None:
        """Count a failed attempt; the task waits again."""
        self.retry_count += 1
        self.last_error = error_message
        self.status = TaskStatus.READY

    def get_task(self) -> Executable | None:
        """Return the task."""
        return self.executable


class TaskQueue(ABC):
    """A queue of tasks, first come first served.

    Attributes:
        enable_retry: whether failed tasks are taken back (default False).
        enable_metrics: whether `metrics` are counted (default False).
        metrics: how many tasks came, went, were tried again and failed.
    """

    def __init__(self) -> None:
        self._task_specs: dict[str, TaskSpec] = {}
        self.enable_retry = False
        self.enable_metrics = False
        self.metrics = {"enqueued": 0, "dequeued": 0, "retries": 0, "failures": 0}

    @abstractmethod
    def enqueue(self, task_spec: TaskSpec) -> bool:
        """Let a task wait; return whether it does."""

    @abstractmethod
    def dequeue(self) -> TaskSpec | None:
        """Take the next task, None when none waits."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Say whether none waits."""

    @abstractmethod
    def cleanup(self) -> None:
        """Forget all."""

    @abstractmethod
    def get_pending_task_specs(self) -> list[TaskSpec]:
        """Return the waiting tasks, next one first."""

    def size(self) -> int:
        """Return how many wait."""
        return len(self.get_pending_task_specs())

    def to_list(self) -> list[str]:
        """Return the waiting tasks' ids, next one first."""
        return [spec.task_id for spec in self.get_pending_task_specs()]

    def peek_next_node(self) -> str | None:
        """Return the next id without taking it, None when none waits."""
        return next(iter(self.to_list()), None)

    def get_next_task(self) -> str | None:
        """Take the next id, None when none waits."""
        spec = self.dequeue()
        return None if spec is None else spec.task_id

    def get_task_spec(self, task_id: str) -> TaskSpec | None:
        """Return what is known of a task that waits or waited here, None when nothing is."""
        return self._task_specs.get(task_id)

    def configure(self, enable_retry: bool = False, enable_metrics: bool = False) -> None:
        """Say whether failed tasks are taken back, and whether anything is counted."""
        self.enable_retry = enable_retry
        self.enable_metrics = enable_metrics

    def handle_task_failure(self, task_spec: TaskSpec, error_message: str) -> bool:
        """Count a failed attempt; return whether it may be repeated."""
        again = self.enable_retry and task_spec.can_retry()
        if again:
            task_spec.increment_retry(error_message)
        else:
            task_spec.status = TaskStatus.ERROR
        if self.enable_metrics:
            self.metrics["failures"] += 1
            self.metrics["retries"] += again
        return again

    def notify_task_completion(
        self, task_id: str, success: bool, group_id: str | None = None, error_message: str | None = None
    ) -> None:
        """Note how a task ended that waited here."""
        spec = self._task_specs.get(task_id)
        if spec is not None:
            spec.status = TaskStatus.SUCCESS if success else TaskStatus.ERROR
            spec.last_error = error_message

    def get_metrics(self) -> dict[str, int]:
        """Return a copy of the counts."""
        return self.metrics.copy()

    def reset_metrics(self) -> None:
        """Count from nothing again."""
        self.metrics = dict.fromkeys(self.metrics, 0)
