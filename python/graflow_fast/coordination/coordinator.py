"""Names of the places where a group's members can run.

Owns the names and the interface of a custom coordinator. Must not know how any of them works.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.handlers.group_policy import GroupExecutionPolicy
    from graflow_fast.core.task import Executable

__all__ = ["CoordinationBackend", "TaskCoordinator"]


class CoordinationBackend(Enum):
    """Where the members of one group run: ``group.with_execution(backend=...)``."""

    REDIS = "redis"
    """Not available here; the name exists so that asking for it gives a clear `ConfigError`."""
    THREADING = "threading"
    """In threads of the calling process."""
    DIRECT = "direct"
    """One after the other, in the calling thread."""
    PROCESS = "process"
    """In worker processes."""


class TaskCoordinator(ABC):
    """Runs the members of a parallel group."""

    @abstractmethod
    def execute_group(
        self,
        group_id: str,
        tasks: list[Executable],
        execution_context: ExecutionContext,
        policy: GroupExecutionPolicy,
    ) -> None:
        """Run all of `tasks`, then let `policy` judge the outcome.

        Args:
            group_id: The group.
            tasks: Its members, in the order of their declaration.
            execution_context: The run they belong to.
            policy: Raises `ParallelGroupError` if too little succeeded.
        """
