"""Random programs whose bodies run on an engine: `python -m meaning.elsewhere dask 300` (or ray, loky, faulty).

Owns the engines' start and end. The programs and their comparison are the suite's.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Iterator
from random import Random
from typing import Any

from .generating import generate
from .running import EXECUTORS
from .state import Unsuitable
from .suite import SEED, Differs, agree_in, compared

ENGINES = ("faulty", "dask", "ray", "loky")


@contextlib.contextmanager
def stations(engine: str) -> Iterator[Any]:
    """What to give as `executor=`, so that every body runs there."""
    if engine == "faulty":
        from remote.carriers import Children

        carrier = Children(stations=2, slots=1, faults=0.2, place="all")
        try:
            yield carrier
        finally:
            carrier.close()
    elif engine == "dask":
        import graflow_fast

        distributed: Any = importlib.import_module("distributed")
        cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        with cluster, distributed.Client(cluster) as client:
            yield graflow_fast.DaskStations(client, place="all")
    elif engine == "ray":
        import graflow_fast

        ray: Any = importlib.import_module("ray")
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200_000_000, log_to_driver=False)
        try:
            yield graflow_fast.RayStations(place="all")
        finally:
            ray.shutdown()
    else:
        loky: Any = importlib.import_module("loky")
        executor = loky.get_reusable_executor(2)
        try:
            yield executor
        finally:
            executor.shutdown(kill_workers=True)


def run_there(engine: str, count: int, shard: int = 0) -> int:
    """Compare so many programs with the model; return how many were suitable.

    Raises:
        Differs: one of them means something else there.
    """
    with stations(engine) as executor:
        EXECUTORS[engine] = {"executor": executor, "max_workers": 2}
        try:
            for number in range(count):
                program = generate(Random(f"{SEED} elsewhere {shard} {number}"), 9)
                try:
                    why = agree_in(program, (engine,))
                except Unsuitable:
                    continue
                if why:
                    raise Differs(program, why, number)
        finally:
            del EXECUTORS[engine]
    return compared[engine]


if __name__ == "__main__":
    which, programs, *rest = sys.argv[1:]
    print(json.dumps({which: run_there(which, int(programs), *map(int, rest))}))
