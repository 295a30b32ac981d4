"""The interface of a custom coordinator of groups, and beside it the names of the places where members can run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from graflow_fast.coordination.backend import CoordinationBackend

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.group_policy import GroupExecutionPolicy
    from graflow_fast.core.task import Executable

__all__ = ["CoordinationBackend", "TaskCoordinator"]


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
