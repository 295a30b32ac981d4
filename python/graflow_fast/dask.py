"""A scheduler for Dask: ``dask.compute(..., scheduler=graflow_fast.dask.get)``.

Owns the order in which the tasks of a Dask graph start, each when its dependencies are there. Values travel with the
tasks that need them. How calls run is `Executor`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from graflow_fast._calls.executor import Executor
from graflow_fast._extras import import_extra

__all__ = ["get"]

_task_spec: Any = import_extra("dask._task_spec", "dask", "graflow_fast.dask")
_core: Any = import_extra("dask.core", "dask", "graflow_fast.dask")
_order: Any = import_extra("dask.order", "dask", "graflow_fast.dask")

#: What only names a value.
_HERE: Any = (_task_spec.DataNode, _task_spec.Alias)


def get(
    dsk: Any,
    keys: Any,
    *,
    executor: Executor | None = None,
    num_workers: int | None = None,
    **_: Any,
) -> Any:
    """Compute keys of a Dask graph in worker processes.

    Args:
        dsk: the graph, or what has one (``__dask_graph__``).
        keys: a key, or (nested) lists of keys.
        executor: where to run; None: one of its own, that ends with this call.
        num_workers: how many processes that has; None: as `Executor`.
        **_: what Dask has for other schedulers.

    Returns:
        The value of the key, or (nested) tuples of values.

    Raises:
        Exception: what a task raised.
    """
    found = dsk.__dask_graph__() if hasattr(dsk, "__dask_graph__") else dsk
    graph = _task_spec.convert_legacy_graph(found)
    if executor is not None:
        return _packed(keys, Run(graph, executor).values_of(set(_core.flatten([keys]))))
    with Executor(num_workers) as own:
        return _packed(keys, Run(graph, own).values_of(set(_core.flatten([keys]))))


class Run:
    """One computation of a graph.

    Args:
        graph: its tasks by key, in Dask's own form.
        executor: where they run.
    """

    def __init__(self, graph: Mapping[Hashable, Any], executor: Executor) -> None:
        self._graph = graph
        self._executor = executor
        self._values: dict[Hashable, Any] = {}
        self._running: dict[Future[Any], Hashable] = {}

    def values_of(self, wanted: set[Hashable]) -> dict[Hashable, Any]:
        """Return the values of these keys; a task starts when all that it needs is there, in Dask's order."""
        needed = self._needed(wanted)
        missing = {key: set(self._graph[key].dependencies) for key in needed}
        users: dict[Hashable, set[Hashable]] = {key: set() for key in needed}
        for key, others in missing.items():
            for other in others:
                users[other].add(key)
        uses = {key: len(found) for key, found in users.items()}
        rank: Callable[[Hashable], Any] = _order.order({key: self._graph[key] for key in needed}).__getitem__
        try:
            self._start(sorted((key for key in needed if not missing[key]), key=rank))
            while self._running:
                ready = []
                for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                    key = self._running.pop(future)
                    self._values[key] = future.result()
                    for user in users[key]:
                        missing[user].discard(key)
                        if not missing[user]:
                            ready.append(user)
                    for other in self._graph[key].dependencies:
                        uses[other] -= 1
                        if not uses[other] and other not in wanted:
                            del self._values[other]
                self._start(sorted(ready, key=rank))
        finally:
            for future in self._running:
                future.cancel()
        return self._values

    def _needed(self, wanted: set[Hashable]) -> set[Hashable]:
        needed: set[Hashable] = set()
        todo = list(wanted)
        while todo:
            key = todo.pop()
            if key not in needed:
                needed.add(key)
                todo.extend(self._graph[key].dependencies)
        return needed

    def _start(self, keys: list[Hashable]) -> None:
        for key in keys:
            task = self._graph[key]
            given = {other: self._values[other] for other in task.dependencies}
            if isinstance(task, _HERE):
                future: Future[Any] = Future()
                future.set_result(task(given))
            else:
                future = self._executor.submit(task, given)
            self._running[future] = key


def _packed(keys: Any, values: dict[Hashable, Any]) -> Any:
    """Return values as keys are nested."""
    if isinstance(keys, list):
        return tuple([_packed(each, values) for each in keys])
    return values[keys]
