"""graflow_fast: workflows of plain functions, run by worker processes and scheduled in Rust."""

TYPE_CHECKING = False
if TYPE_CHECKING:
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

#: Where the names are. They are imported when they are first asked for, since workers import this package, too, and a
#: first result waits for that.
_HOMES = {
    "ExecutionContext": "core.context",
    "RetryPolicy": "core.retry",
    "TaskExecutionContext": "core.context",
    "__version__": "_core",
    "chain": "core.task",
    "parallel": "core.task",
    "task": "core.decorators",
    "workflow": "core.workflow",
}
_SUBMODULES = frozenset(("channels", "coordination", "core", "exceptions", "trace", "utils"))


if not TYPE_CHECKING:  # so that type checkers still find names that don't exist

    def __getattr__(name: str) -> object:
        home = name if name in _SUBMODULES else _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        found = import_module(f"{__name__}.{home}")
        if home is not name:
            found = globals()[name] = getattr(found, name)
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
