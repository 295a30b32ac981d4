"""The queue of a context; see `graflow_fast.core.local_queue`."""

from graflow_fast.core.local_queue import LocalTaskQueue

__all__ = ["LocalTaskQueue"]
