"""How one task's body is called.

Owns the interface that a program implements to run tasks its own way (``@task(handler="mine")``) and the record of
how a group member ended. Must not know queues or processes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable

__all__ = ["TaskHandler", "TaskResult"]


@dataclass
class TaskResult:
    """How a member of a parallel group ended, as a group policy sees it. The value itself is in the context."""

    task_id: str
    success: bool
    error: Exception | None = None
    """What it raised, if it failed and the exception is at hand."""
    error_message: str | None = None
    """The failure in words; None after a success."""
    duration: float = 0.0
    """Seconds it took."""
    timestamp: float = 0.0
    """When it ended, in seconds since the epoch."""


class TaskHandler(ABC):
    """Runs single tasks. Register an instance with the engine and name it in ``@task(handler=...)``."""

    def get_name(self) -> str:
        """The name to register under: the class's name unless overridden."""
        return type(self).__name__

    @abstractmethod
    def execute_task(self, task: Executable, context: ExecutionContext) -> Any:
        """Run `task`, record its outcome with ``context.set_result(task.task_id, value_or_exception)``, return it.

        Args:
            task: The task; ``task.run()`` calls its body.
            context: The run it belongs to.

        Returns:
            The task's result, or None if there is none to hand back.
        """
