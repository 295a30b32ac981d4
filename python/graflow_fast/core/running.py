"""What this thread is executing. Apart from everything else, since a worker needs it before its first task."""

from __future__ import annotations

from _thread import _local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Running(_local):
    """What this thread is executing: the running task's context, or None."""

    task_context: Any = None


running = Running()
