"""The main example on real engines: its report is that of one machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "code_census.py"
FOLDER = Path(__file__).parents[2] / "python" / "graflow_fast" / "core"


def report(executor: str, folder: Path, environment: dict[str, str] | None = None) -> list[str]:
    """What the example prints, but for the line with the time."""
    cache = folder / executor.partition(":")[0]
    finished = subprocess.run(
        [sys.executable, EXAMPLE, FOLDER, "--no-speedup", "--executor", executor, "--cache", cache],
        capture_output=True,
        text=True,
        timeout=150,
        env=environment,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()[:-1]


@pytest.fixture
def dask_address() -> Iterator[str]:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")


@pytest.fixture
def ray_address() -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    started = ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200_000_000, log_to_driver=False)
    yield started.address_info["gcs_address"]
    ray.shutdown()


@pytest.mark.timeout(300)
def test_the_report_from_dask_is_the_same(dask_address: str, tmp_path: Path) -> None:
    assert report(dask_address, tmp_path) == report("inline", tmp_path)


@pytest.mark.timeout(300)
def test_the_report_from_ray_is_the_same(ray_address: str, tmp_path: Path) -> None:

    environment = os.environ | {"RAY_ADDRESS": ray_address}
    assert report("ray", tmp_path, environment) == report("inline", tmp_path)
