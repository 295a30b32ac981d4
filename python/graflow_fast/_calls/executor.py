"""`graflow_fast.Executor`: worker processes behind the interface of `concurrent.futures`.

Owns that interface: what is refused, the order of `map`, who ends the crew. Packing is `packing`'s, the pool `crew`'s.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from concurrent.futures import Future
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from graflow_fast._calls.crew import Call, Crew, broken
from graflow_fast._calls.packing import Packing
from graflow_fast._run.settings import Settings
from graflow_fast.core.definition import whole
from graflow_fast.exceptions import ConfigError

_T = TypeVar("_T")
_P = ParamSpec("_P")

#: Seconds between `terminate_workers` and the kill of those that go on.
_GRACE = 2.0

#: The crews of this process, as long as their threads run.
_crews: set[Crew] = set()
_executors: weakref.WeakSet[Executor] = weakref.WeakSet()
_is_exiting = False


class Executor(futures.Executor):
    """Worker processes that call functions: a `concurrent.futures.Executor`.

    Functions need not be importable: lambdas, closures and functions of ``__main__`` are sent as they are, once for
    each worker, and no ``__main__`` guard is needed. A call's arguments are pickled when it is submitted. What a call
    prints, logs and warns is shown here when it has ended; what it changes of its process (directory, environment,
    signal handlers, standard streams) is undone.

    A worker that dies costs the call (for `map` the chunk of calls) that it was running, whose future gets a
    `graflow_fast.exceptions.WorkerCrashedError`; all others go on. Exceptions of calls keep their type, with the
    worker's traceback as their cause.

    Args:
        max_workers: how many processes there may be; they are started when there is work for them. None: those of
            ``GRAFLOW_FAST_WORKERS``, else the usable cores.
        initializer: called in each worker before its first call; what it sets of global variables and of its process
            stays. If it raises, nothing can run: all futures get a `concurrent.futures.BrokenExecutor`.
        initargs: the positional arguments of the initializer.
        max_tasks_per_child: after about how many calls (of `map`: chunks) a worker is replaced: it finishes what it
            has begun. None: never.

    Raises:
        ValueError: a number is below 1.
        TypeError: a number is none, or the initializer can't be called.
        ConfigError: the environment gives no positive number of workers.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        max_tasks_per_child: int | None = None,
    ) -> None:
        if initializer is not None and not callable(initializer):
            raise TypeError(f"initializer must be callable, not {type(initializer).__name__}")
        self._max_workers = _positive(max_workers, "max_workers") or Settings().resolved_workers()
        self._most_calls = _positive(max_tasks_per_child, "max_tasks_per_child")
        self._initializer = None if initializer is None else (initializer, tuple(initargs))
        self._is_shut_down = False
        self._start_afresh()
        _executors.add(self)

    def _start_afresh(self) -> None:
        """Have no workers yet; also in a forked child, which has none of its parent's threads."""
        self._lock = threading.Lock()
        self._packing: Packing | None = None
        self._crew: Crew | None = None

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Have a worker call a function; return at once.

        Args:
            fn: the function; what it returns is awaited if it can be.
            *args: its positional arguments.
            **kwargs: its keyword arguments.

        Returns:
            The future of its result. It has a `graflow_fast.exceptions.TaskSerializationError` when the function, an
            argument or the result can't be pickled.

        Raises:
            RuntimeError: after `shutdown`, or when the interpreter is about to end.
            BrokenExecutor: there can be no workers any more.
        """
        return self._submit(fn, kwargs or None, [args], False)

    def map(
        self,
        fn: Callable[..., _T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[_T]:
        """Call a function for the items of iterables, beside each other; yield the results in the items' order.

        Args:
            fn: the function; it gets an item of each iterable.
            *iterables: the items; the shortest ends.
            timeout: seconds from now in which a result must be there; None: no limit.
            chunksize: how many items go to a worker at once.
            buffersize: how many chunks may be under way and not yet asked for; only so many are taken from the
                iterables. None: all.

        Raises:
            ValueError: ``chunksize`` or ``buffersize`` is below 1; TypeError: ``buffersize`` is no whole number.
            TimeoutError: from the iterator: a result was not there in time.
            Exception: from the iterator: what a call raised, where its result would be.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        deadline = None if timeout is None else time.monotonic() + timeout
        items = zip(*iterables)  # noqa: B905  # the shortest ends
        chunks = iter(lambda: list(islice(items, chunksize)), [])
        submitted = deque(self._submit(fn, None, chunk, True) for chunk in islice(chunks, buffersize))
        executor = weakref.ref(self)

        def submit_next() -> None:
            owner = None if buffersize is None else executor()
            if owner is not None and (chunk := next(chunks, None)) is not None:
                submitted.append(owner._submit(fn, None, chunk, True))

        return _results(submitted, submit_next, deadline)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; end the workers when those that there are have ended.

        Args:
            wait: whether to return only then.
            cancel_futures: whether to cancel those that no worker has been given yet.
        """
        with self._lock:
            self._is_shut_down = True
            crew = self._crew
        if crew is None:
            return
        with crew.gate:
            crew.end(cancel_futures)
        if wait:
            _join(crew)

    def terminate_workers(self) -> None:
        """End the workers whatever they do, with SIGTERM (SIGKILL if that does not help), and shut down.

        Calls that run get a `concurrent.futures.BrokenExecutor`, others are cancelled.
        """
        self._stop(_GRACE)

    def kill_workers(self) -> None:
        """End the workers whatever they do, with SIGKILL, and shut down; else as `terminate_workers`."""
        self._stop(0.0)

    def _stop(self, grace: float) -> None:
        with self._lock:
            self._is_shut_down = True
            crew = self._crew
        if crew is not None:
            with crew.gate:
                crew.stop(grace)

    def _submit(
        self, fn: Callable[..., Any], keywords: dict[str, Any] | None, calls: list[tuple[Any, ...]], is_chunk: bool
    ) -> Future[Any]:
        crew, packing = self._open()
        future: Future[Any] = Future()
        try:
            call = Call(packing.pack(fn, keywords, calls), future, is_chunk)
        except Exception as error:
            future.set_running_or_notify_cancel()
            future.set_exception(error)
            return future
        with crew.gate:
            try:
                self._check(crew)
            except BaseException:
                packing.ended()
                raise
            crew.post(call)
        return future

    def _open(self) -> tuple[Crew, Packing]:
        """Return the crew, made when it is first needed, and what packs its calls."""
        with self._lock:
            if self._crew is None or self._packing is None:
                self._check(None)
                self._packing = Packing(self._initializer)
                crew = self._crew = Crew(self._max_workers, self._packing, self._most_calls, _crews.discard)
                crew.owner = weakref.ref(self, lambda _: crew.end())  # when nobody can submit any more
                _crews.add(crew)
                crew.thread.start()
            return self._crew, self._packing

    def _check(self, crew: Crew | None) -> None:
        """Raise why no more calls are taken, if so."""
        if crew is not None and crew.broken is not None:
            raise broken(crew.broken)
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if _is_exiting:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")


def _results(submitted: deque[Future[Any]], submit_next: Callable[[], None], deadline: float | None) -> Iterator[Any]:
    """Yield the results of chunks in order; those that nobody asks for any more are cancelled."""
    try:
        while submitted:
            submit_next()
            future = submitted.popleft()
            try:
                results, failure = future.result(None if deadline is None else deadline - time.monotonic())
            except BaseException:
                future.cancel()
                raise
            finally:
                del future
            results.reverse()
            while results:
                yield results.pop()
            if failure is not None:
                raise failure
    finally:
        for future in submitted:
            future.cancel()


def _positive(given: int | None, name: str) -> int | None:
    """Return a number of the user's.

    Raises:
        TypeError: it is no whole number; ValueError: it is below 1.
    """
    try:
        return whole(given, name, lowest=1)
    except ConfigError as error:
        raise (ValueError if isinstance(given, int) else TypeError)(str(error)) from None


def _join(crew: Crew) -> None:
    """Wait for the end of a crew, unless this is its own thread (a callback of a future)."""
    if crew.thread is not threading.current_thread():
        crew.thread.join()


def _end_all() -> None:
    """Before the interpreter ends: take no more calls, and wait for those that there are."""
    global _is_exiting
    _is_exiting = True
    for crew in list(_crews):
        with crew.gate:
            crew.end()
    for crew in list(_crews):
        _join(crew)


def _begin_afresh() -> None:
    """In a forked child: threads, and what they had to do, are the parent's."""
    _crews.clear()
    for executor in list(_executors):
        executor._start_afresh()


# As the executors of the standard library: before the interpreter waits for threads. In a worker, where it waits for
# none: when it ends.
threading._register_atexit(_end_all)  # type: ignore[attr-defined]
atexit.register(_end_all)
os.register_at_fork(after_in_child=_begin_afresh)
