"""A backend for joblib, and so for ``n_jobs`` of scikit-learn: `register` it, then name it "graflow_fast".

Owns the translation of joblib's interface. How calls run is `Executor`'s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from graflow_fast._calls.executor import Executor
from graflow_fast._extras import import_extra
from graflow_fast._run.settings import Settings

__all__ = ["Backend", "register"]

#: The name of the backend in ``joblib.parallel_config``.
NAME = "graflow_fast"

_joblib: Any = import_extra("joblib", "joblib", "graflow_fast.joblib")
_backends: Any = import_extra("joblib._parallel_backends", "joblib", "graflow_fast.joblib")


class Workers:
    """The executor that calls of ``Parallel`` share, one after the other or beside each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: Executor | None = None

    def of(self, count: int) -> Executor:
        """Return an executor with so many workers; one with another number ends when its calls have ended."""
        with self._lock:
            before = self._executor
            if before is not None and before._max_workers == count:
                return before
            made = self._executor = Executor(count)
        if before is not None:
            before.shutdown(wait=False)
        return made

    def drop(self, executor: Executor) -> None:
        """End the workers of an executor whatever they do, and give it to nobody any more."""
        with self._lock:
            if self._executor is executor:
                self._executor = None
        executor.kill_workers()


_workers = Workers()

if TYPE_CHECKING:
    _AutoBatching: Any = object
    _Base: Any = object
else:
    _AutoBatching, _Base = _backends.AutoBatchingMixin, _backends.ParallelBackendBase


class Backend(_AutoBatching, _Base):  # type: ignore[misc]
    """Runs batches of joblib's calls on an `Executor`.

    A worker that dies costs one batch, and the call of ``Parallel`` then fails with a `WorkerCrashedError`. Calls of
    ``Parallel`` inside of calls run in threads, those inside of these one after the other, as with joblib's own.
    """

    supports_retrieve_callback = True
    supports_sharedmem = False
    uses_threads = False

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """Return how many workers a number of jobs means; negative ones count back from all that there may be.

        Raises:
            ValueError: the number is 0.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return n_jobs if n_jobs > 0 else max(1, Settings().resolved_workers() + 1 + n_jobs)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """Prepare for a call of ``Parallel``; return how many workers it has. With one it runs in its own thread."""
        workers = self.effective_n_jobs(n_jobs)
        if workers == 1:
            level = self.nesting_level
            raise _backends.FallbackToBackend(_backends.SequentialBackend(nesting_level=level))
        self.parallel = parallel
        self._executor = _workers.of(workers)
        return workers

    def submit(self, func: Callable[[], Any], callback: Callable[[Future[Any]], None] | None = None) -> Future[Any]:
        """Have a batch run; ``callback`` is called with its future in the end."""
        future = self._executor.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """Return the results of a batch, or raise what one of its calls raised."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End all that runs; with ``ensure_ready`` be ready for more."""
        _workers.drop(self._executor)
        if ensure_ready:
            self._executor = _workers.of(self._executor._max_workers)

    def terminate(self) -> None:
        """Forget what was learned of the size of batches; the workers stay for the next call of ``Parallel``."""
        self.reset_batch_stats()


def register(make_default: bool = False) -> None:
    """Let joblib know the backend: ``joblib.parallel_config(backend="graflow_fast")``.

    Args:
        make_default: whether it is used where no backend is named.
    """
    _joblib.register_parallel_backend(NAME, Backend, make_default=make_default)
