"""Executors for tests: one that most share, and the check that no process is left."""

import psutil
import pytest

import graflow_fast


@pytest.fixture(scope="module")
def shared():
    """An executor with two workers that no test shuts down; it ends with the module, for others count processes."""
    with graflow_fast.Executor(max_workers=2) as executor:
        yield executor


@pytest.fixture
def make():
    """Return a function that makes executors, which are shut down in the end; no process of theirs is left then."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    made = []

    def make(max_workers=1, **options):
        made.append(graflow_fast.Executor(max_workers, **options))
        return made[-1]

    yield make
    for executor in made:
        executor.shutdown()
    assert [child for child in psutil.Process().children(recursive=True) if child.pid not in before] == []
