"""State that each worker has for itself: initializers, and values that are made once in each worker."""

import functools
import os
import threading
import time
import warnings

import pytest

from graflow_fast import task, worker_local, workflow
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError, LostMutationWarning

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])

connection = None


class Connection:
    """Something that can't cross."""

    def __init__(self, name):
        self.name, self.lock, self.queries = name, threading.Lock(), 0

    def query(self, n):
        self.queries += 1
        return f"{self.name} {n}"


def connect(name="db"):
    global connection
    connection = Connection(name)


@worker_local
def model():
    return os.getpid(), threading.get_ident(), time.monotonic_ns(), Connection("model")


def run(body, executor, items=(1, 2), **options):
    with workflow("w") as wf:
        task("t")(body).map(list(items), task_id="m", chunk=1)
        return wf.execute(executor=executor, max_workers=2, **options)


@EXECUTORS
def test_initializer(executor):
    """Called before the first body, it sets what bodies read; that they change it is nobody's loss."""

    def body(n):
        return connection.query(n)

    with warnings.catch_warnings():
        warnings.simplefilter("error", LostMutationWarning)
        assert run(body, executor, initializer=connect) == ["db 1", "db 2"]
        assert run(body, executor, initializer=functools.partial(connect, "other")) == ["other 1", "other 2"]


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_initializer_is_called_once_where_bodies_run(executor, tmp_path):
    """An option of the workflow, too; a worker that serves the next run isn't asked again."""
    calls = tmp_path / "calls"
    calls.touch()

    def note():
        with calls.open("a") as file:
            file.write(f"{os.getpid()}\n")

    with workflow("w", initializer=note, executor=executor, max_workers=1) as wf:
        task("t")(lambda n: os.getpid()).map(range(20), task_id="m", chunk=1)
        pid = wf.execute()[0]
        assert calls.read_text() == f"{pid}\n"
        wf.execute()
    assert calls.read_text() == f"{pid}\n" * (1 if executor == "process" else 2)


@EXECUTORS
def test_an_initializer_that_fails(executor):
    def connect_to_nobody():
        raise ConnectionError("nobody answers")

    with workflow("w", initializer=connect_to_nobody) as wf:
        task("only")(lambda: 1)
    with pytest.raises(GraflowRuntimeError, match="initializer '.*connect_to_nobody' failed") as caught:
        wf.execute(executor=executor)
    assert "nobody answers" in str(caught.value)


def test_an_initializer_must_be_callable():
    with pytest.raises(ConfigError, match="initializer=5 must be a function"):
        workflow("w", initializer=5)


@EXECUTORS
def test_worker_local(executor):
    """One value for all bodies of a worker, of different tasks too; never sent. Threads end with their run."""

    def first(n):
        return model()[:3]

    def second(n):
        return model()[:3]

    with warnings.catch_warnings():
        warnings.simplefilter("error", LostMutationWarning)
        made = [(0, each) for each in run(first, executor, range(6))]
        made += [(1, each) for each in run(second, executor, range(6))]
    by_worker = {}
    for number, (pid, thread, when) in made:
        by_worker.setdefault((pid, thread, number if executor == "thread" else 0), set()).add(when)
    assert all(len(values) == 1 for values in by_worker.values())
    assert (os.getpid() in {pid for _, (pid, _, _) in made}) == (executor != "process")


def test_a_local_value_of_the_workflows_own_function():
    made = []

    @worker_local
    def number():
        made.append(1)
        return len(made)

    with workflow("w") as wf:
        task("t")(lambda n: number() + n).map([1, 2], task_id="m")
        assert wf.execute(executor="inline") == [2, 3]
    number.clear()
    assert number() == 2


def test_a_local_value_takes_no_arguments():
    with pytest.raises(TypeError, match="lru_cache"):

        @worker_local
        def model_of(name):
            return name
