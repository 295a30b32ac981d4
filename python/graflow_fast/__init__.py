"""graflow_fast: workflows of plain functions, run by worker processes and scheduled in Rust."""

from typing import TYPE_CHECKING

from graflow_fast._core import __version__
from graflow_fast.core.context import ExecutionContext, TaskExecutionContext
from graflow_fast.core.decorators import task
from graflow_fast.core.task import chain, parallel
from graflow_fast.core.workflow import workflow

if TYPE_CHECKING:
    from graflow_fast.core.retry import RetryPolicy

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


if not TYPE_CHECKING:  # so that type checkers still find names that don't exist

    def __getattr__(name: str) -> object:
        if name == "RetryPolicy":  # a dataclass, which takes longer to import than all the rest
            from graflow_fast.core.retry import RetryPolicy

            return RetryPolicy
        if name in ("channels", "coordination", "core", "exceptions", "trace", "utils"):
            import importlib

            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
