"""Real engines: Dask and Ray with workers of their own, and executors. What is not installed is skipped."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import graflow_fast
from graflow_fast import RetryPolicy, TaskExecutionContext, parallel, task, workflow
from graflow_fast._pool import registry
from graflow_fast.exceptions import ConfigError, GraflowWorkflowCanceledError, WorkerCrashedError

from .helpers import is_gone, results, wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """A client of a cluster of two workers with a thread each."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client
        registry.shutdown_all()


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Ray with two cores."""
    module = pytest.importorskip("ray", reason="Ray is not installed")
    module.init(num_cpus=2, include_dashboard=False, object_store_memory=200_000_000, log_to_driver=False)
    yield "ray"
    registry.shutdown_all()
    module.shutdown()


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    """A pool of the standard library."""
    with ProcessPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(params=["dask", "ray", "processes"])
def engine(request: Any) -> Any:
    """Each engine in turn, as it is given to `execute`."""
    return request.getfixturevalue(request.param)


def test_members_run_there_and_print_in_order(engine: Any, capsys: Any) -> None:
    with workflow("w") as wf:

        @task(inject_context=True)
        def member(ctx: TaskExecutionContext, number: int) -> int:
            print("member", number)
            ctx.get_channel().atomic_add("count", number)
            return os.getppid()

        group = parallel(*[member(task_id=f"m{n}", number=n) for n in range(300)])
        _, context = wf.execute(executor=engine, ret_context=True, start_node=group.task_id)
    assert len(set(results(context, [f"m{n}" for n in range(300)]))) in (1, 2)
    assert context.get_channel().get("count") == sum(range(300))
    assert capsys.readouterr().out == "".join(f"member {n}\n" for n in range(300))


def test_a_body_that_ends_its_process_is_blamed_alone(engine: Any) -> None:
    with workflow("w") as wf:

        @task(inject_context=True)
        def member(ctx: TaskExecutionContext, number: int) -> int:
            if number == 77:
                os._exit(3)
            return ctx.retry_count

        group = parallel(*[member(task_id=f"m{n}", number=n) for n in range(200)]).with_execution(policy="best_effort")
        _, context = wf.execute(executor=engine, ret_context=True, start_node=group.task_id)
    found = results(context, [f"m{n}" for n in range(200)])
    assert [number for number, count in enumerate(found) if count != 0] == [77]


def test_a_cancel_ends_a_body_that_sleeps(engine: Any, tmp_path: Path) -> None:
    with workflow("w") as wf:

        @task
        def sleeps(number: int) -> None:
            (tmp_path / f"{os.getpid()}").touch()
            time.sleep(60)

        group = parallel(*[sleeps(task_id=f"s{n}", number=n) for n in range(2)])
        run = wf.start(executor=engine, start_node=group.task_id)
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        run.cancel("enough")
        with pytest.raises(GraflowWorkflowCanceledError, match="enough"):
            run.result(30)
    wait_until(lambda: all(is_gone(int(path.name)) for path in tmp_path.iterdir()))


def test_what_a_program_defines_itself_is_known_there(engine: Any) -> None:
    """A class of the test's, as a value both ways."""

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    with workflow("w") as wf:

        @task(handler="process")
        def moved(point: Any) -> Any:
            return Point(point.x + 1)

        result = wf.execute(moved(task_id="m", point=Point(1)).task_id, executor=engine)
    assert isinstance(result, Point)
    assert result.x == 2


def test_of_a_dask_worker_that_is_killed_only_what_ran_is_charged(dask: Any, tmp_path: Path) -> None:
    """Bare Dask charges all that it had been sent, and gives up after the fourth."""
    with workflow("w") as wf:

        @task(inject_context=True, retry_policy=RetryPolicy(max_retries=50, initial_interval=0.0))
        def member(ctx: TaskExecutionContext, number: int) -> int:
            time.sleep(0.02)
            (tmp_path / f"{number}-{ctx.retry_count}").touch()
            return ctx.retry_count

        count, kills = 300, 3
        group = parallel(*[member(task_id=f"m{n}", number=n) for n in range(count)])
        run = wf.start(executor=dask, start_node=group.task_id)
        for _ in range(kills):
            done = len(list(tmp_path.iterdir()))
            wait_until(lambda done=done: len(list(tmp_path.iterdir())) > done + 20, 60)
            os.kill(next(iter(dask.run(os.getpid).values())), signal.SIGKILL)
        run.result(120)
    charged = results(run.context, [f"m{n}" for n in range(count)])
    assert None not in charged
    assert sum(charged) <= kills


def test_a_station_takes_the_cores_of_its_node(ray: Any) -> None:
    import ray as module

    with workflow("w") as wf:

        @task(handler="process")
        def free() -> str:
            return "done"

        assert wf.execute(executor=ray) == "done"
    wait_until(lambda: module.available_resources().get("CPU", 0.0) == 0.0)


def test_an_error_of_a_lost_worker_says_where_it_was(dask: Any, tmp_path: Path) -> None:
    with workflow("w") as wf:

        @task(handler="process")
        def waits() -> None:
            (tmp_path / "pid").write_text(str(os.getpid()))
            time.sleep(60)

        run = wf.start(executor=graflow_fast.DaskStations(dask, workers=[next(iter(dask.scheduler_info()["workers"]))]))
        wait_until((tmp_path / "pid").exists)
        wait_until(lambda: (tmp_path / "pid").read_text())
        status = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat").read_text()
        template = int(status.rpartition(")")[2].split()[1])
        worker = int(Path(f"/proc/{template}/stat").read_text().rpartition(")")[2].split()[1])
        time.sleep(0.1)  # so that the head has heard that it runs
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(Exception, match="its station on tcp://") as caught:
            run.result(60)
    error = caught.value
    assert isinstance(error, WorkerCrashedError) or isinstance(error.__cause__, WorkerCrashedError)


def test_threads_and_our_own_executor_are_refused() -> None:
    with workflow("w") as wf:

        @task
        def body() -> None:
            pass

        with ThreadPoolExecutor(1) as threads, pytest.raises(ConfigError, match="executor='thread'"):
            wf.execute(executor=threads)
        with graflow_fast.Executor(1) as own, pytest.raises(ConfigError, match="executor='process'"):
            wf.execute(executor=own)


def test_without_a_client_the_error_says_what_to_do(monkeypatch: Any) -> None:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")

    def none() -> Any:
        raise ValueError("No clients found")

    monkeypatch.setattr(distributed, "get_client", none)
    with workflow("w") as wf:

        @task
        def body() -> None:
            pass

        with pytest.raises(ConfigError, match="current Dask client"):
            wf.execute(executor="dask")
