"""Owns the peers: one small class for each thing a user would pick instead, all with the same few verbs.

`each` hands over every item as a task of its own; `bulk` uses the peer's best way of chunking; `lone` is one call there
and back. A peer that isn't installed fails on import, and the row says so.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from bodies import BODIES
from contest import WORKERS, stopwatch

Body = Callable[[Any], Any]


def _exhaust(results: Any) -> None:
    deque(results, maxlen=0)


def _wait(futures: list[Any]) -> None:
    for future in futures:
        future.result()


class Peer:
    """What the rows use; a verb that a peer doesn't have stays unimplemented."""

    def each(self, body: Body, items: Sequence[Any]) -> None:
        raise NotImplementedError("no call that makes every item a task of its own")

    def bulk(self, body: Body, items: Sequence[Any]) -> None:
        raise NotImplementedError("no chunked map")

    def lone(self, body: Body, item: Any) -> Any:
        raise NotImplementedError("no single call")

    def close(self) -> None:
        """Let go of the workers."""


class Executor(Peer):
    """`concurrent.futures.ProcessPoolExecutor`: `submit`, and `map` with the chunk size given."""

    def __init__(self, chunk: int = 1000) -> None:
        self._pool, self._chunk = ProcessPoolExecutor(WORKERS), chunk

    def each(self, body: Body, items: Sequence[Any]) -> None:
        _wait([self._pool.submit(body, item) for item in items])

    def bulk(self, body: Body, items: Sequence[Any]) -> None:
        _exhaust(self._pool.map(body, items, chunksize=self._chunk))

    def lone(self, body: Body, item: Any) -> Any:
        return self._pool.submit(body, item).result()

    def close(self) -> None:
        self._pool.shutdown()


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

    def close(self) -> None:
        self._ray.shutdown()


PEERS: dict[str, Callable[[], Peer]] = {
    "executor": Executor,
    "executor1": partial(Executor, chunk=1),
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
