"""What bodies on stations can do, and which stations there are."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy
import pytest

from graflow_fast import TaskExecutionContext, parallel, task, workflow
from graflow_fast.exceptions import EnvironmentMismatchError, GraflowRuntimeError, ParallelGroupError

from .carriers import Children
from .helpers import results, wait_until


def test_members_run_in_other_processes_and_print_in_order(children: Any, capsys: Any) -> None:
    with workflow("w") as wf:

        @task
        def member(number: int) -> int:
            print("member", number)
            return os.getpid()

        @task
        def last() -> int:
            return os.getpid()

        group = parallel(*[member(task_id=f"m{n}", number=n) for n in range(50)])
        group >> last
        result, context = wf.execute(executor=children(), ret_context=True, start_node=group.task_id)
    pids = set(results(context, [f"m{n}" for n in range(50)]))
    assert result == os.getpid()
    assert os.getpid() not in pids
    assert capsys.readouterr().out == "".join(f"member {n}\n" for n in range(50))


def test_an_error_has_its_cause_and_the_lines_of_the_body(children: Any) -> None:
    with workflow("w") as wf:

        @task
        def fails() -> None:
            raise ValueError("no such thing")

        with pytest.raises(GraflowRuntimeError) as caught:
            wf.execute(executor=children(1, place="all"))
    assert isinstance(caught.value.__cause__, ValueError)
    assert "no such thing" in str(caught.value)


def test_a_map_of_many_items(children: Any) -> None:
    with workflow("w") as wf:

        @task
        def square(number: int) -> int:
            return number * number

        mapped = square.map(range(5000))
        assert wf.execute(mapped.task_id, executor=children()) == [n * n for n in range(5000)]


@pytest.mark.parametrize("is_here", [True, False])
def test_large_arrays_arrive_on_this_machine_and_on_another_one(children: Any, is_here: bool) -> None:
    """Another one: that can't open what is in memory here."""
    carrier = children(2, place="all", answer=lambda name, found: {**found, "here": is_here})
    array = numpy.arange(1_000_000)
    with workflow("w") as wf:

        @task
        def given(numbers: Any) -> Any:
            return numbers + 1

        @task(inject_context=True)
        def reads(ctx: TaskExecutionContext) -> int:
            return int(ctx.get_result("first").sum())

        given(task_id="first", numbers=array) >> reads
        assert wf.execute("first", executor=carrier) == int(array.sum()) + len(array)


def test_times_of_another_clock_are_told_by_this_one(children: Any) -> None:
    """A machine whose clock is far away; here it is the same, so the times are that much wrong the other way."""
    away = 1000 * 10**9
    answer = lambda name, found: {**found, "here": False, "clock": found["clock"] - away}  # noqa: E731
    carrier = children(1, place="all", answer=answer)
    with workflow("w") as wf:

        @task(timeout=5.0)
        def quick() -> str:
            time.sleep(0.3)
            return "done"

        assert wf.execute(executor=carrier) == "done"


def test_workers_without_this_package_are_a_table_before_anything_runs(children: Any) -> None:
    answer = lambda name, found: {**found, "graflow_fast": "missing", "protocol": None}  # noqa: E731
    carrier = children(2, place="all", answer=answer)
    with workflow("w") as wf:

        @task
        def body() -> None:
            raise AssertionError("it ran")

        with pytest.raises(EnvironmentMismatchError, match="child-1") as caught:
            wf.execute(executor=carrier)
    assert "missing *" in caught.value.table
    assert not carrier.processes


def test_a_worker_with_another_python_is_left_out(children: Any) -> None:
    answer = lambda name, found: {**found, "magic": "0000"} if name == "child-1" else found  # noqa: E731
    carrier = children(2, place="all", answer=answer)
    with workflow("w") as wf:

        @task
        def body() -> str:
            return "ran"

        assert wf.execute(executor=carrier, max_workers=2) == "ran"
    assert list(carrier.processes) == ["child-0"]


def test_stations_stay_for_the_next_run(children: Any) -> None:
    carrier = children(1, place="all")
    pids = []
    for _ in range(2):
        with workflow("w") as wf:

            @task
            def body() -> int:
                return os.getpid()

            pids.append(wf.execute(executor=carrier))
    assert pids[0] == pids[1]


def test_a_station_that_comes_later_is_used(children: Any, tmp_path: Path) -> None:
    carrier: Children = children(1, 1)
    with workflow("w") as wf:

        @task
        def waits(number: int) -> int:
            (tmp_path / str(number)).touch()
            deadline = time.monotonic() + 30
            while len(list(tmp_path.iterdir())) < 2:
                assert time.monotonic() < deadline, "the other one never began"
                time.sleep(0.01)
            return os.getpid()

        names = ["w0", "w1"]
        group = parallel(*[waits(task_id=name, number=n) for n, name in enumerate(names)])
        run = wf.start(executor=carrier, max_workers=2, start_node=group.task_id)
        wait_until(lambda: list(tmp_path.iterdir()))
        carrier.add_station()
        run.result(40)
    assert len(set(results(run.context, names))) == 2


def test_what_shells_write_to_streams_that_they_open_anew_comes_whole(children: Any, capsys: Any) -> None:
    with workflow("w") as wf:

        @task
        def member(number: int) -> None:
            print("before", number)
            os.system(f"echo one {number}; echo two {number} > /dev/stdout; echo three {number} > /dev/stderr")
            print("after", number)

        group = parallel(*[member(task_id=f"m{n}", number=n) for n in range(4)])
        wf.execute(executor=children(1, place="all"), start_node=group.task_id)
    expected = "".join(f"before {n}\none {n}\ntwo {n}\nafter {n}\n" for n in range(4))
    assert capsys.readouterr() == (expected, "".join(f"three {n}\n" for n in range(4)))


def test_output_is_shown_while_a_body_runs(children: Any, tmp_path: Path, capsys: Any) -> None:
    with workflow("w") as wf:

        @task
        def speaks() -> None:
            print("first", flush=True)
            deadline = time.monotonic() + 30
            while not (tmp_path / "go").exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)

        run = wf.start(executor=children(1, place="all"), output="live")
        shown = ""

        def is_shown() -> bool:
            nonlocal shown
            shown += capsys.readouterr().out
            return "first" in shown

        wait_until(is_shown)
        (tmp_path / "go").touch()
        run.result(30)


def test_two_threads_run_workflows_there_at_once(children: Any) -> None:
    carrier = children(2, 1)
    found: list[Any] = []

    def run(number: int) -> None:
        with workflow(f"w{number}") as wf:

            @task
            def member(given: int) -> int:
                return given

            group = parallel(*[member(task_id=f"m{n}", given=n) for n in range(20)])
            _, context = wf.execute(executor=carrier, ret_context=True, start_node=group.task_id)
            found.append(results(context, [f"m{n}" for n in range(20)]))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [list(range(20))] * 2


def test_members_that_fail_are_told_as_on_this_machine(children: Any) -> None:
    with workflow("w") as wf:

        @task
        def member(number: int) -> int:
            return 1 // number

        group = parallel(*[member(task_id=f"m{n}", number=n) for n in range(2)])
        with pytest.raises(ParallelGroupError) as caught:
            wf.execute(executor=children(), start_node=group.task_id)
    assert [name for name, _ in caught.value.failed_tasks] == ["m0"]
