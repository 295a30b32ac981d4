"""The plainest way to run a task.

Owns nothing but the call of the body and the record of its outcome. Must not know queues or processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast.core.handler import TaskHandler

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable

__all__ = ["DirectTaskHandler"]


class DirectTaskHandler(TaskHandler):
    """Runs a task's body in the calling thread. Subclass it to do something before or after."""

    def get_name(self) -> str:
        """``"direct"``."""
        return "direct"

    def execute_task(self, task: Executable, context: ExecutionContext) -> Any:
        """Run `task` and record its result, None included, or its exception, which is raised again."""
        try:
            result = task.run()
        except Exception as error:
            context.set_result(task.task_id, error)
            raise
        context.set_result(task.task_id, result)
        return result
