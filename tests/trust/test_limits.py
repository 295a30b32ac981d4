"""timeout and memory_limit: what they stop, that they are retryable, where they can't hold, and workers that grew."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import ConfigError, ParallelGroupError, TaskMemoryError, TaskTimeoutError


def run(*members, **options):
    with workflow("limits") as wf:
        parallel(*members)
    return wf.execute(max_workers=2, ret_context=True, **options)[1]


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@task
def other():
    return "other"


def test_a_timeout_stops_what_the_body_started_as_well(tmp_path):
    path = tmp_path / "pid"

    @task(timeout=0.3)
    def waits():
        child = subprocess.Popen(["sleep", "1000"])
        path.write_text(str(child.pid))
        child.wait()

    with pytest.raises(ParallelGroupError) as caught:
        run(waits, other)
    assert isinstance(caught.value.__cause__, TaskTimeoutError)
    assert caught.value.successful_tasks == ["other"]
    wait_until(lambda: not is_running(int(path.read_text())))


def test_a_timeout_is_retryable(tmp_path):
    path = tmp_path / "attempts"

    @task(timeout=0.3, max_retries=1)
    def slow_once():
        if not path.exists():
            path.touch()
            time.sleep(1000)
        return "done"

    assert run(slow_once, other).get_result("slow_once") == "done"


def test_a_body_may_end_gracefully(tmp_path):
    path = tmp_path / "cleaned"

    @task(timeout=0.2)
    def cleans():
        import signal
        import sys

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            time.sleep(1000)
        finally:
            path.touch()

    begun = time.monotonic()
    with pytest.raises(ParallelGroupError):
        run(cleans, other)
    assert path.exists()
    assert time.monotonic() - begun < 5


def test_time_spent_waiting_for_a_worker_does_not_count():
    @task(timeout=0.5)
    def takes(number):
        time.sleep(0.1)
        return number

    context = run(*(takes(task_id=f"t{number}", number=number) for number in range(20)))
    assert context.get_result("t19") == 19


@pytest.fixture
def heavy(tmp_path, monkeypatch):
    """A module that takes half a second to import."""
    code = "import time; time.sleep(0.6)\nclass Kind:\n    value = 5\ndef works(item):\n    return item\n"
    (tmp_path / "heavy_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    import heavy_module

    yield heavy_module
    del sys.modules["heavy_module"]


WAYS = {
    "a step": lambda made: made(task_id="made", item=1),
    "members": lambda made: parallel(*(made(task_id=f"made{number}", item=number) for number in range(3))),
    "a map": lambda made: made.map([1, 2, 3]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("where", ["the function", "the argument", "a value that it looks up"])
def test_imports_before_the_body_are_no_part_of_its_time(heavy, way, where):
    if where == "the function":
        body = lambda item: heavy.works(item)  # noqa: E731
    elif where == "the argument":
        body = lambda item, given=None: (item, given.value)[0]  # noqa: E731
    else:
        body = lambda item, first: (item, first.value)[0]  # noqa: E731
    made = task("made", timeout=0.3)(body)
    with workflow("limits") as wf:
        if where == "the argument":
            made = made(task_id="kind", given=heavy.Kind())
        last = WAYS[way](made)
        if where == "a value that it looks up":
            task("first")(lambda: heavy.Kind()) >> last
    context = wf.execute("first" if where == "a value that it looks up" else None, max_workers=2, ret_context=True)[1]
    assert context.stop_reason == "completed"


def test_imports_in_the_body_are(heavy):
    @task(timeout=0.3)
    def imports():
        import heavy_module

        return heavy_module.works(1)

    with pytest.raises(ParallelGroupError) as caught:
        run(imports, other)
    assert isinstance(caught.value.__cause__, TaskTimeoutError)


def test_after_imports_the_time_counts(heavy):
    @task(timeout=0.3)
    def late():
        heavy.works(1)
        time.sleep(1000)

    with pytest.raises(ParallelGroupError) as caught:
        run(late, other)
    assert isinstance(caught.value.__cause__, TaskTimeoutError)


def test_a_memory_limit_counts_children_and_is_retryable(tmp_path):
    path = tmp_path / "attempts"

    @task(memory_limit="300MB", max_retries=1)
    def grows_once():
        if path.exists():
            return "done"
        path.touch()
        subprocess.run(["python3", "-c", "x = bytearray(b'x' * (400 << 20)); import time; time.sleep(1000)"])
        return "never"

    assert run(grows_once, other).get_result("grows_once") == "done"


def test_the_memory_error_says_how_much():
    @task(memory_limit="100MB")
    def grows():
        kept = bytearray(b"x" * (200 << 20))
        time.sleep(1000)
        return kept

    with pytest.raises(ParallelGroupError) as caught:
        run(grows, other)
    error = caught.value.__cause__
    assert isinstance(error, TaskMemoryError)
    assert error.limit == 100 << 20
    assert error.peak > 100 << 20


@pytest.mark.parametrize("limit", [{"timeout": 0.2}, {"memory_limit": "90MB"}])
def test_run_wide_defaults(limit):
    def hogs():
        kept = bytearray(b"x" * (200 << 20))
        time.sleep(1000)
        return kept

    with workflow("limits") as wf:
        task(id="hogs")(hogs)
    with pytest.raises((TaskTimeoutError, TaskMemoryError)):
        wf.execute(**limit)


def test_a_limit_brings_a_plain_step_to_the_pool_under_auto():
    with workflow("limits") as wf:
        task(id="where", timeout=60)(os.getpid)
    assert wf.execute() != os.getpid()


@pytest.mark.parametrize("executor", ["inline", "thread"])
@pytest.mark.parametrize("limit", [{"timeout": 1}, {"memory_limit": "1GB"}])
def test_where_no_process_could_be_stopped_nothing_starts(executor, limit):
    ran = []
    with workflow("limits") as wf:
        task(id="first")(lambda: ran.append(1)) >> task(id="limited", **limit)(lambda: ran.append(2))
    with pytest.raises(ConfigError, match=rf"'limited' has a {next(iter(limit))}, but executor='{executor}'"):
        wf.execute(executor=executor)
    assert ran == []


@pytest.mark.parametrize(("bound", "stays"), [("300MB", False), ("3GB", True)])
def test_a_worker_that_grew_is_recycled_between_tasks(monkeypatch, bound, stays):
    """A leak of a task does not stay with the worker for ever."""
    monkeypatch.setenv("GRAFLOW_FAST_WORKER_MEMORY", bound)

    def grows():
        import sys

        sys.modules["leak"] = bytearray(b"x" * (700 << 20))  # type: ignore[assignment]
        return os.getpid()

    with workflow("limits") as wf:
        task(id="grows")(grows) >> task(id="after")(os.getpid)
    context = wf.execute("grows", executor="process", max_workers=1, ret_context=True)[1]
    assert (context.get_result("grows") == context.get_result("after")) is stays


@pytest.mark.parametrize("workers", [1, 2])
def test_blas_threads_fit_the_cores(workers):
    def threads():
        return [os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")]

    from graflow_fast._pool.cores import usable_cores

    with workflow("limits") as wf:
        task(id="threads")(threads)
    expected = str(max(1, usable_cores() // workers))
    assert wf.execute(executor="process", max_workers=workers) == [expected] * 3


def test_what_the_user_set_for_blas_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with workflow("limits") as wf:
        task(id="threads")(lambda: os.environ["OMP_NUM_THREADS"])
    assert wf.execute(executor="process", max_workers=1) == "7"


@pytest.mark.parametrize("timeout", [0, -1, "5", float("nan")])
def test_a_timeout_that_is_none(timeout):
    with pytest.raises(ConfigError, match="must be a positive number of seconds"):
        task(id="limited", timeout=timeout)(lambda: 1)
    with workflow("limits") as wf:
        task(id="plain")(lambda: 1)
    with pytest.raises(ConfigError, match="must be a positive number of seconds"):
        wf.execute(timeout=timeout)
