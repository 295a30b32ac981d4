"""Message types that most workflows can use, registered under short names when this module is imported.

Owns the shapes only; must not know who sends them. Timestamps are seconds since the epoch.
"""

from __future__ import annotations

from typing import Any, TypedDict

from graflow_fast.channels.typed import ChannelTypeRegistry

__all__ = [
    "CycleNotificationMessage",
    "DataTransferMessage",
    "TaskErrorMessage",
    "TaskProgressMessage",
    "TaskResultMessage",
    "WorkflowStateMessage",
]


class TaskResultMessage(TypedDict):
    """A task has a result. Registered as ``task_result``."""

    task_id: str
    result: Any
    timestamp: float
    status: str


class TaskProgressMessage(TypedDict):
    """A task is so far along. Registered as ``task_progress``."""

    task_id: str
    progress: float
    message: str
    timestamp: float


class TaskErrorMessage(TypedDict):
    """A task failed. Registered as ``task_error``."""

    task_id: str
    error_type: str
    error_message: str
    timestamp: float


class WorkflowStateMessage(TypedDict):
    """A workflow is at this point. Registered as ``workflow_state``."""

    workflow_id: str
    state: str
    current_task: str
    completed_tasks: list[str]
    timestamp: float


class DataTransferMessage(TypedDict):
    """One task hands something to another. Registered as ``data_transfer``."""

    from_task: str
    to_task: str
    data: Any
    data_type: str
    timestamp: float


class CycleNotificationMessage(TypedDict):
    """A task runs again. Registered as ``cycle_notification``."""

    task_id: str
    cycle_count: int
    max_cycles: int
    data: Any


ChannelTypeRegistry.register("task_result", TaskResultMessage)
ChannelTypeRegistry.register("task_progress", TaskProgressMessage)
ChannelTypeRegistry.register("task_error", TaskErrorMessage)
ChannelTypeRegistry.register("workflow_state", WorkflowStateMessage)
ChannelTypeRegistry.register("data_transfer", DataTransferMessage)
ChannelTypeRegistry.register("cycle_notification", CycleNotificationMessage)
