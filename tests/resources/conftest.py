"""Nothing of a module's worker processes is left to the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from graflow_fast._pool.registry import shutdown_all


@pytest.fixture(autouse=True, scope="module")
def no_warm_pools() -> Iterator[None]:
    yield
    shutdown_all()
