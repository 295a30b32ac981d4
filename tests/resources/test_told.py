"""A body that takes cores or GPUs finds that said in its environment, where libraries look, and nobody else does."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import task, workflow
from graflow_fast.exceptions import GraflowRuntimeError

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
#: In threads the environment is not a body's own.
EXECUTORS = ["auto", "inline", "process"]


def seen() -> list[str | None]:
    return [os.environ.get(name) for name in VARIABLES]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_body_sees_what_it_takes(executor: str) -> None:
    with workflow("w", executor=executor, max_workers=1, resources={"cpus": 8, "gpus": 4}) as wf:
        chain = (
            task("cores", cpus=3)(seen)
            >> task("cards", gpus=2)(seen)
            >> task("part", cpus=0.5)(seen)
            >> task("none")(lambda: os.environ.get("CUDA_VISIBLE_DEVICES"))
        )
        _, context = wf.execute(ret_context=True)
        assert chain is not None
    assert context.get_result("cores") == ["3", "3", "3", None]
    assert context.get_result("cards")[3] == "0,1"
    assert context.get_result("part")[:3] == ["1", "1", "1"]
    assert context.get_result("none") is None
    assert seen() == [None] * 4


def test_gpus_are_one_bodys_at_a_time(tmp_path: Path) -> None:
    """Two bodies that are under way together have different cards, and a later one finds one of them free again."""
    with workflow("w", executor="process", max_workers=2, resources={"gpus": 2}) as wf:

        @task(gpus=1)
        def train(folder: str, name: str, other: str) -> str:
            open(os.path.join(folder, name), "w").close()
            bound = time.monotonic() + 30
            while not os.path.exists(os.path.join(folder, other)) and time.monotonic() < bound:
                time.sleep(0.001)
            return os.environ["CUDA_VISIBLE_DEVICES"]

        folder = str(tmp_path)
        both = train(task_id="a", folder=folder, name="a", other="b") | train(
            task_id="b", folder=folder, name="b", other="a"
        )
        both >> train(task_id="c", folder=folder, name="c", other="c")
        _, context = wf.execute(ret_context=True)
    assert {context.get_result("a"), context.get_result("b")} == {"0", "1"}
    assert context.get_result("c") == "0"


@pytest.mark.parametrize("executor", EXECUTORS)
def test_of_gpus_that_the_program_may_see(monkeypatch: pytest.MonkeyPatch, executor: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,GPU-7")
    with workflow("w", executor=executor, max_workers=1) as wf:
        task("t", gpus=2)(lambda: os.environ["CUDA_VISIBLE_DEVICES"])
        assert wf.execute() == "5,GPU-7"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5,GPU-7"


@pytest.mark.parametrize("executor", EXECUTORS)
def test_items_see_it_and_failures_and_coroutines_give_it_back(executor: str) -> None:
    with workflow("w", executor=executor, max_workers=1, resources={"cpus": 8}) as wf:

        @task(cpus=2)
        def item(n: int) -> str | None:
            return os.environ.get("OMP_NUM_THREADS")

        @task(cpus=5)
        async def fetch() -> str | None:
            return os.environ.get("OMP_NUM_THREADS")

        @task
        def both(items: Any, fetch: Any) -> Any:
            return items, fetch

        item.map(range(3), task_id="items") >> fetch >> both
        assert wf.execute() == (["2", "2", "2"], "5")
    with workflow("w", executor=executor, max_workers=1, resources={"cpus": 8}) as wf:
        task("broken", cpus=2)(lambda: 1 / 0)
        with pytest.raises(GraflowRuntimeError):
            wf.execute()
    assert seen() == [None] * 4


def test_libraries_that_are_loaded_already() -> None:
    """Where threadpoolctl is installed, numpy's BLAS is told as well."""
    control: Any = pytest.importorskip("threadpoolctl", reason="threadpoolctl is not installed")
    numpy: Any = pytest.importorskip("numpy")
    if not any(each["user_api"] == "blas" for each in control.threadpool_info()):
        pytest.skip(f"{numpy.__name__} has no BLAS that threadpoolctl knows")
    with workflow("w", executor="process", max_workers=1, resources={"cpus": 2}) as wf:

        @task(cpus=1)
        def threads() -> set[int]:
            import numpy
            import threadpoolctl

            assert numpy.zeros(1).sum() == 0
            return {each["num_threads"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"}

        assert wf.execute() == {1}
