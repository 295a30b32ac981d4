"""What this thread, and this process, is executing.

Apart from everything else, since a worker needs it before its first task.
"""

from __future__ import annotations

from graflow_fast._core import Running

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: ``running.task_context`` is the context of the task that runs in the thread that asks, or None.
running = Running()


class Process:
    """What is to be known of this process.

    Attributes:
        instead: what is called with an engine and a context instead of running it; None: it is run.
        is_worker: whether it runs bodies for the process of the workflow.
    """

    is_worker = False
    instead: Callable[[Any, Any], None] | None = None
