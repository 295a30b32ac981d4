"""A pool for a test, and the check that nothing is left of it."""

import gc
import signal

import psutil
import pytest
from pool_driver import Driver, open_descriptors

from graflow_fast._pool import registry

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell does it for jobs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the programs that tests interrupt inherit it


@pytest.fixture(autouse=True)
def nothing_left():
    registry.shutdown_all()  # pools that wait for the next run may end while this test runs
    gc.collect()
    before = open_descriptors()
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    gc.collect()
    assert open_descriptors() == before
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in children]
    assert left == []


@pytest.fixture
def start():
    drivers = []

    def start(workers=2, **options):
        drivers.append(Driver(workers, **options))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.pool.shutdown()
        driver.core = None


@pytest.fixture
def driver(start):
    return start()
