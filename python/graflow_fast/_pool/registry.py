"""Warm pools: workers outlive a run and serve the next one.

A pool serves one run at a time; two runs at once get two pools. A pool is used again only if a new one would see the
same surroundings (search path, directory, environment). All pools end with the program; a forked child has none.
"""

import atexit
import os
import sys
import threading
from collections.abc import Callable

from graflow_fast._pool.fork_server import DEFAULT_LOOP
from graflow_fast._pool.process_pool import ProcessPool
from graflow_fast._pool.signals import postponed_signals
from graflow_fast._pool.starting import CannotStart, stands_for_graflow

#: Pools that wait for the next run; beyond that the oldest ends.
_MAX_IDLE = 2
#: These change from test to test and mean nothing to workers.
_IGNORED = {"PYTEST_CURRENT_TEST"}

_lock = threading.Lock()
_idle: list[tuple[object, ProcessPool]] = []
_busy: dict[ProcessPool, object] = {}


def prestart(workers: int, loop: str = DEFAULT_LOOP, needs_cloudpickle: Callable[[], bool] = lambda: False) -> None:
    """Begin starting a pool that `checkout` will soon ask for, without waiting: there is other work to do meanwhile.

    ``needs_cloudpickle`` is as in `ProcessPool.start`.
    """
    if _idle or any(key is not None for key in _busy.values()):  # the first one is what programs wait for
        return
    key = _key(workers, loop)
    with postponed_signals(), _lock:
        if not any(entry[0] == key for entry in _idle):
            pool = ProcessPool(workers, loop)
            try:
                pool.start(needs_cloudpickle)
            except CannotStart:
                pool.shutdown()  # whoever needs it will be told
            else:
                _idle.append((key, pool))


def checkout(
    workers: int, loop: str = DEFAULT_LOOP, make: Callable[[], ProcessPool] | None = None, engine: object = None
) -> ProcessPool:
    """A pool for one run, warm if there is one that fits.

    Args:
        workers: how many workers it may have.
        loop: what they run.
        make: makes another kind of pool, whose workers are an engine's.
        engine: which one; None for this machine.
    """
    key = _key(workers, loop, engine)
    with _lock:
        for entry in _idle:
            if entry[0] == key:
                _idle.remove(entry)
                pool = entry[1]
                break
        else:
            pool = ProcessPool(workers, loop) if make is None else make()
        _busy[pool] = key
    return pool


def open_own(workers: int) -> ProcessPool:
    """A new pool that nobody else uses, before or after; its user ends it (`release`)."""
    pool = ProcessPool(workers)
    with _lock:
        _busy[pool] = None
    return pool


def release(pool: ProcessPool, grace: float) -> None:
    """End a pool of one's own: idle workers at once, others after ``grace`` seconds."""
    with postponed_signals():
        with _lock:
            _busy.pop(pool, None)
        pool.shutdown(grace)


def checkin(pool: ProcessPool) -> None:
    """Give a pool back; one that still has tasks is ended."""
    settled = pool.settle()
    with postponed_signals(), _lock:
        key = _busy.pop(pool, None)
        if key is not None and settled:
            _idle.append((key, pool))
            surplus = [pool for _, pool in _idle[:-_MAX_IDLE]]
            del _idle[:-_MAX_IDLE]
        else:
            surplus = [pool]
    _end(surplus)


def discard(pool: ProcessPool) -> None:
    """End a pool at once, whatever is running in it."""
    release(pool, 0.0)


def shutdown_all() -> None:
    """End every pool of this process, but those of threads that have one of their own and end it themselves."""
    with _lock:
        pools = [pool for _, pool in _idle] + [pool for pool, key in _busy.items() if key is not None]
        _idle.clear()
        for pool in pools:
            _busy.pop(pool, None)
    _end(pools)


def _end(pools: list[ProcessPool]) -> None:
    """End pools; when that is interrupted, by a second Ctrl-C perhaps, without giving anybody time."""
    try:
        for pool in pools:
            pool.shutdown()
    except BaseException:
        with postponed_signals():
            for pool in pools:
                pool.shutdown(0.0)
        raise


def _key(workers: int, loop: str, engine: object = None) -> object:
    environment = frozenset(item for item in os.environ.items() if item[0] not in _IGNORED)
    return workers, loop, engine, tuple(sys.path), os.getcwd(), environment, stands_for_graflow()


def _forget_all() -> None:
    """In a forked child: the pools are the parent's."""
    global _lock
    _lock = threading.Lock()
    for pool in [pool for _, pool in _idle] + list(_busy):
        pool.disown()
    _idle.clear()
    _busy.clear()


atexit.register(shutdown_all)
os.register_at_fork(after_in_child=_forget_all)
