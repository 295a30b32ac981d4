"""graflow_fast: workflows of plain functions, run by worker processes and scheduled in Rust."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from graflow_fast._calls.executor import Executor
    from graflow_fast._core import __version__
    from graflow_fast._places.remote.carriers.dask import DaskStations
    from graflow_fast._places.remote.carriers.ray import RayStations
    from graflow_fast._record.loading import load_run
    from graflow_fast._record.run import RecordedRun
    from graflow_fast.core.context import ExecutionContext, TaskExecutionContext
    from graflow_fast.core.decorators import task
    from graflow_fast.core.retry import RetryPolicy
    from graflow_fast.core.task import chain, parallel
    from graflow_fast.core.worker_local import worker_local
    from graflow_fast.core.workflow import workflow

__all__ = [
    "DaskStations",
    "ExecutionContext",
    "Executor",
    "RayStations",
    "RecordedRun",
    "RetryPolicy",
    "TaskExecutionContext",
    "__version__",
    "chain",
    "load_run",
    "parallel",
    "task",
    "worker_local",
    "workflow",
]

#: Where the names are. They are imported when they are first asked for, since workers import this package, too, and a
#: first result waits for that.
_HOMES = {
    "DaskStations": "_places.remote.carriers.dask",
    "RayStations": "_places.remote.carriers.ray",
    "ExecutionContext": "core.context",
    "Executor": "_calls.executor",
    "RecordedRun": "_record.run",
    "RetryPolicy": "core.retry",
    "TaskExecutionContext": "core.context",
    "__version__": "_core",
    "chain": "core.task",
    "load_run": "_record.loading",
    "parallel": "core.task",
    "task": "core.decorators",
    "worker_local": "core.worker_local",
    "workflow": "core.workflow",
}
_SUBMODULES = frozenset(("channels", "coordination", "core", "dask", "exceptions", "joblib", "trace", "utils"))


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
