"""An executor beside runs of workflows in other threads: neither gets in the other's way."""

import threading

import pytest

from graflow_fast import task, workflow

PATIENCE = 30


def own_class():
    """Return a class that no process can import."""

    class Own:
        def __init__(self, value):
            self.value = value

    return Own


@pytest.fixture
def waiting(tmp_path):
    """A run in another thread whose body waits in a worker, and what lets it go on; a body behind it makes ``Own``."""
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    made = own_class()

    with workflow("waiting") as wf:

        @task(handler="process")
        def wait():
            import time

            begun.touch()
            while not gate.exists():
                time.sleep(0.005)

        @task(handler="process")
        def make(value=3):
            return made(value)

        wait >> make
    run = wf.start(executor="process", max_workers=1)
    event = threading.Event()
    while not begun.exists():
        event.wait(0.005)
    yield run, made, gate.touch
    gate.touch()
    run.wait(PATIENCE)


def test_a_class_reaches_workers_whose_run_is_waiting_for_news(shared, waiting):
    run, made, let_go = waiting
    other = own_class()
    assert shared.submit(lambda given: given.value, other(4)).result(PATIENCE) == 4
    assert shared.submit(lambda: made(5)).result(PATIENCE).value == 5
    let_go()
    assert type(run.result(PATIENCE)) is made


def test_a_run_that_is_told_late_knows_the_class(shared, waiting):
    run, made, let_go = waiting
    assert shared.submit(lambda given: given.value, made(4)).result(PATIENCE) == 4
    let_go()
    assert run.result(PATIENCE).value == 3
