"""graflow_fast: workflows of plain functions, run by worker processes and scheduled in Rust."""

from graflow_fast._core import __version__
from graflow_fast.core.context import ExecutionContext, TaskExecutionContext
from graflow_fast.core.decorators import task
from graflow_fast.core.retry import RetryPolicy
from graflow_fast.core.task import chain, parallel
from graflow_fast.core.workflow import workflow

__all__ = [
    "ExecutionContext",
    "RetryPolicy",
    "TaskExecutionContext",
    "__version__",
    "chain",
    "parallel",
    "task",
    "workflow",
]
