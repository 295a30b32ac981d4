"""A task that waits, and what a queue of such tasks can do; see `graflow_fast.core.task_queue`."""

from graflow_fast.core.task_queue import TaskQueue, TaskSpec, TaskStatus

__all__ = ["TaskQueue", "TaskSpec", "TaskStatus"]
