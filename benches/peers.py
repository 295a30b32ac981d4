"""Owns the peers: one small class for each thing a user would pick instead, all with the same few verbs.

`each` hands over every item as a task of its own; `bulk` uses the peer's best way of chunking; `lone` is one call there
and back. A peer that isn't installed fails on import, and the row says so.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor as AnyExecutor
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any

from bodies import BODIES
from contest import WORKERS, stopwatch
from shapes import Shape

Body = Callable[..., Any]


def _exhaust(results: Any) -> None:
    deque(results, maxlen=0)


def _wait(futures: list[Any]) -> None:
    for future in futures:
        future.result()


def graph_by_hand(pool: Any, body: Body, shape: Shape, seconds: float, passing: bool) -> list[Any]:
    """The loop that people write around an executor: submit each task as soon as all before it have finished."""
    waiting = [len(predecessors) for predecessors in shape]
    behind: list[list[int]] = [[] for _ in shape]
    for number, predecessors in enumerate(shape):
        for before in predecessors:
            behind[before].append(number)
    results: list[Any] = [None] * len(shape)
    finished: SimpleQueue[tuple[int, Any]] = SimpleQueue()

    def submit(number: int) -> None:
        arguments = [results[before] for before in shape[number]] if passing else []
        pool.submit(body, seconds, *arguments).add_done_callback(lambda future: finished.put((number, future)))

    for number in [number for number, left in enumerate(waiting) if not left]:
        submit(number)
    for _ in shape:
        number, future = finished.get()
        results[number] = future.result()
        for follower in behind[number]:
            waiting[follower] -= 1
            if not waiting[follower]:
                submit(follower)
    return results


class Peer:
    """What the rows use; a verb that a peer doesn't have stays unimplemented."""

    def each(self, body: Body, items: Sequence[Any]) -> None:
        raise NotImplementedError("no call that makes every item a task of its own")

    def bulk(self, body: Body, items: Sequence[Any]) -> None:
        raise NotImplementedError("no chunked map")

    def lone(self, body: Body, item: Any) -> Any:
        raise NotImplementedError("no single call")

    def graph(self, body: Body, shape: Shape, seconds: float, passing: bool) -> list[Any]:
        """Run a graph; each task gets `seconds` and, where values are passed, the results of its predecessors."""
        raise NotImplementedError("no graph of tasks")

    def close(self) -> None:
        """Let go of the workers."""


class Executor(Peer):
    """`concurrent.futures.ProcessPoolExecutor`: `submit`, and `map` with the chunk size given."""

    def __init__(self, chunk: int = 1000) -> None:
        self._pool: AnyExecutor = ProcessPoolExecutor(WORKERS)
        self._chunk = chunk

    def each(self, body: Body, items: Sequence[Any]) -> None:
        _wait([self._pool.submit(body, item) for item in items])

    def bulk(self, body: Body, items: Sequence[Any]) -> None:
        _exhaust(self._pool.map(body, items, chunksize=self._chunk))

    def lone(self, body: Body, item: Any) -> Any:
        return self._pool.submit(body, item).result()

    def graph(self, body: Body, shape: Shape, seconds: float, passing: bool) -> list[Any]:
        return graph_by_hand(self._pool, body, shape, seconds, passing)

    def close(self) -> None:
        self._pool.shutdown()


class Threads(Executor):
    """`concurrent.futures.ThreadPoolExecutor`, with the verbs of the other executor."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS)


class Pool(Peer):
    """`multiprocessing.Pool`, forked: `imap_unordered`, `map` with its automatic chunks, `apply`."""

    def __init__(self) -> None:
        self._pool = multiprocessing.get_context("fork").Pool(WORKERS)

    def each(self, body: Body, items: Sequence[Any]) -> None:
        _exhaust(self._pool.imap_unordered(body, items))

    def bulk(self, body: Body, items: Sequence[Any]) -> None:
        self._pool.map(body, items)

    def lone(self, body: Body, item: Any) -> Any:
        return self._pool.apply(body, (item,))

    def close(self) -> None:
        self._pool.terminate()


class Loky(Peer):
    """loky's reusable executor."""

    def __init__(self) -> None:
        from loky import get_reusable_executor

        self._pool = get_reusable_executor(max_workers=WORKERS, timeout=600)

    def each(self, body: Body, items: Sequence[Any]) -> None:
        _wait([self._pool.submit(body, item) for item in items])

    def bulk(self, body: Body, items: Sequence[Any]) -> None:
        _exhaust(self._pool.map(body, items, chunksize=1000))

    def lone(self, body: Body, item: Any) -> Any:
        return self._pool.submit(body, item).result()

    def close(self) -> None:
        self._pool.shutdown(wait=True)


class Joblib(Peer):
    """joblib with its automatic batches; it has no unbatched way that anybody would use."""

    def __init__(self) -> None:
        import joblib

        self._joblib, self._pool = joblib, joblib.Parallel(n_jobs=WORKERS)
        self._pool.__enter__()

    def bulk(self, body: Body, items: Sequence[Any]) -> None:
        call = self._joblib.delayed(body)
        self._pool(call(item) for item in items)

    def close(self) -> None:
        self._pool.__exit__(None, None, None)


class Mpire(Peer):
    """mpire: chunks of one, and its automatic chunks."""

    def __init__(self) -> None:
        from mpire import WorkerPool

        self._pool = WorkerPool(n_jobs=WORKERS, keep_alive=True)

    def each(self, body: Body, items: Sequence[Any]) -> None:
        self._pool.map_unordered(body, items, chunk_size=1)

    def bulk(self, body: Body, items: Sequence[Any]) -> None:
        self._pool.map(body, items)

    def lone(self, body: Body, item: Any) -> Any:
        return self._pool.apply(body, (item,))

    def close(self) -> None:
        self._pool.terminate()


class Pebble(Peer):
    """pebble's ProcessPool."""

    def __init__(self) -> None:
        from pebble import ProcessPool

        self._pool = ProcessPool(max_workers=WORKERS)

    def each(self, body: Body, items: Sequence[Any]) -> None:
        _wait([self._pool.schedule(body, args=[item]) for item in items])

    def bulk(self, body: Body, items: Sequence[Any]) -> None:
        _exhaust(self._pool.map(body, items, chunksize=1000).result())

    def lone(self, body: Body, item: Any) -> Any:
        return self._pool.schedule(body, args=[item]).result()

    def close(self) -> None:
        self._pool.stop()
        self._pool.join()


class Dask(Peer):
    """Dask distributed: a local cluster of single-threaded worker processes, without its dashboard."""

    def __init__(self) -> None:
        from distributed import Client, LocalCluster

        self._cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None)
        self._client = Client(self._cluster)

    def each(self, body: Body, items: Sequence[Any]) -> None:
        self._client.gather([self._client.submit(body, item, pure=False) for item in items])

    def lone(self, body: Body, item: Any) -> Any:
        return self._client.submit(body, item, pure=False).result()

    def graph(self, body: Body, shape: Shape, seconds: float, passing: bool) -> list[Any]:
        futures: list[Any] = []
        for predecessors in shape:
            before = [futures[number] for number in predecessors]
            futures.append(self._client.submit(body, seconds, *before, pure=False))
        return list(self._client.gather(futures))

    def close(self) -> None:
        self._client.close()
        self._cluster.close()


class Ray(Peer):
    """Ray, started locally with two CPUs, without its dashboard."""

    def __init__(self) -> None:
        import ray

        self._ray = ray
        ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, configure_logging=False)

    def each(self, body: Body, items: Sequence[Any]) -> None:
        remote = self._ray.remote(body)
        self._ray.get([remote.remote(item) for item in items])

    def lone(self, body: Body, item: Any) -> Any:
        return self._ray.get(self._ray.remote(body).remote(item))

    def graph(self, body: Body, shape: Shape, seconds: float, passing: bool) -> list[Any]:
        remote = self._ray.remote(body)
        futures: list[Any] = []
        for predecessors in shape:
            futures.append(remote.remote(seconds, *[futures[number] for number in predecessors]))
        return list(self._ray.get(futures))

    def close(self) -> None:
        self._ray.shutdown()


PEERS: dict[str, Callable[[], Peer]] = {
    "executor": Executor,
    "executor1": partial(Executor, chunk=1),
    "threads": Threads,
    "pool": Pool,
    "loky": Loky,
    "joblib": Joblib,
    "mpire": Mpire,
    "pebble": Pebble,
    "dask": Dask,
    "ray": Ray,
}


class PeerTasks:
    """A contestant that runs `size` tasks of one body on a peer: µs per task."""

    def __init__(self, peer: str, verb: str, body: str = "noop") -> None:
        self._peer, self._verb, self._body = PEERS[peer](), verb, BODIES[body]
        if verb == "lone":
            self._peer.lone(self._body, 0)
        else:
            getattr(self._peer, verb)(self._body, range(4))

    def run(self, size: int) -> float:
        if self._verb == "lone":
            return stopwatch(lambda: [self._peer.lone(self._body, item) for item in range(size)]) / size * 1e6
        return stopwatch(lambda: getattr(self._peer, self._verb)(self._body, range(size))) / size * 1e6

    def close(self) -> None:
        self._peer.close()
