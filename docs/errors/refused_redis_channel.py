"""Redis as a channel.

The memory channel reaches worker processes too.
"""

from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.graph import TaskGraph

ExecutionContext.create(TaskGraph(), channel_backend="redis")
