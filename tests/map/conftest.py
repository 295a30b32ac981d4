"""Each place that items can run in; nothing of a module's worker processes is left to the next one."""

import pytest

from graflow_fast._pool.registry import shutdown_all


@pytest.fixture(autouse=True, scope="module")
def no_warm_pools():
    yield
    shutdown_all()


@pytest.fixture(params=["inline", "thread", "process"])
def executor(request):
    return request.param
