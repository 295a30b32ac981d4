"""What would run, told by the scheduler without a body being called: order, waves, times of the last run."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast._commands.main import main
from graflow_fast._run.settings import Settings
from graflow_fast.core.running import Process
from graflow_fast.exceptions import ConfigError, GraphCompilationError, UnknownOptionError


def build() -> Any:
    """Two sources, a group behind one of them, and a join; each body would say that it ran."""
    with workflow("build") as wf:

        @task
        def fetch_a() -> None:
            raise AssertionError("a body ran")

        @task
        def fetch_b() -> None:
            raise AssertionError("a body ran")

        @task
        def clean(number: int) -> None:
            raise AssertionError("a body ran")

        @task(inject_context=True)
        def join(ctx: Any) -> None:
            raise AssertionError("a body ran")

        batches = parallel(*[clean(task_id=f"clean_{number}", number=number) for number in range(6)])  # type: ignore[call-arg]
        fetch_a >> batches >> join
        fetch_b >> join
    return wf


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_waves_are_what_runs_together_with_workers_for_all(executor: str):
    plan = build().plan(schedule="parallel", max_workers=2, executor=executor)
    batches = tuple(f"clean_{number}" for number in range(6))
    if executor == "inline":  # one after the other, wherever it stands
        assert [len(wave.tasks) for wave in plan.waves] == [1] * 9
    else:
        assert [wave.tasks for wave in plan.waves] == [("fetch_a", "fetch_b"), batches, ("join",)]
        assert plan.waves[1].after == ("fetch_a",)
    assert sorted(plan.order) == sorted(("fetch_a", "fetch_b", *batches, "join"))
    assert (plan.may_grow, plan.never, plan.expected) == (("join",), (), None)


def test_a_sequential_run_has_one_task_of_its_own_branch_at_a_time():
    plan = build().plan("fetch_a", executor="process", max_workers=2)
    assert [len(wave.tasks) for wave in plan.waves] == [1, 6, 1]
    assert plan.order == ("fetch_a", *(f"clean_{number}" for number in range(6)), "join")
    assert plan.never == ("fetch_b",)


def test_the_order_is_that_in_which_tasks_start():
    """Whatever else is said of a plan, a run must begin its tasks as the plan says."""
    begun = []
    with workflow("order") as wf:

        @task
        def note(name: str) -> None:
            begun.append(name)

        def named(name: str) -> Any:
            return note(task_id=name, name=name)  # type: ignore[call-arg]

        inner = parallel(named("d"), named("e")).set_group_name("inner")
        named("a") >> parallel(named("b") >> named("c"), inner).set_group_name("outer") >> named("f")
    plan = wf.plan(executor="inline")
    wf.execute(executor="inline")
    assert list(plan.order) == begun


def test_priorities_and_lanes_count():
    with workflow("ranked") as wf:

        @task(priority=5, max_concurrency=1)
        def urgent(number: int) -> None: ...

        @task
        def usual() -> None: ...

        for number in range(2):
            urgent(task_id=f"urgent_{number}", number=number)  # type: ignore[call-arg]
        usual
    plan = wf.plan(schedule="parallel", executor="process", max_workers=1)
    assert plan.order == ("urgent_0", "urgent_1", "usual")
    assert [set(wave.tasks) for wave in plan.waves] == [{"urgent_0", "usual"}, {"urgent_1"}]


def test_a_loop_is_gone_through_once():
    with workflow("loop") as wf:

        @task
        def ask() -> None: ...

        @task
        def check() -> None: ...

        ask >> check >> ask
    plan = wf.plan("ask")
    assert (plan.order, plan.loops) == (("ask", "check"), (("check", "ask"),))
    assert "leads back" in str(plan)


def test_times_are_those_of_the_last_run_of_this_workflow(tmp_path: Path):
    def made() -> Any:
        with workflow("timed") as wf:

            @task
            def first() -> None: ...

            @task
            def second() -> None: ...

            first >> second
        return wf

    store = tmp_path / "runs.db"
    assert made().plan(record=store).expected is None
    _, context = made().execute(record=store, executor="inline", ret_context=True)
    plan = made().plan(record=store, executor="inline")
    ran = sum(task.ran or 0.0 for task in context.run.tasks())
    assert plan.run == 1
    assert plan.expected == plan.shortest == pytest.approx(ran)
    assert "expected" in str(plan)
    assert "times of run 1" in str(plan)


def test_what_execute_refuses_is_refused():
    with pytest.raises(GraphCompilationError, match="Multiple start nodes"):
        build().plan()
    with pytest.raises(UnknownOptionError, match="max_workers"):
        build().plan("fetch_a", max_worker=1)
    with pytest.raises(ConfigError, match="schedule"):
        build().plan("fetch_a", schedule="paralel")


PROGRAM = """
import sys
from graflow import task, workflow

with workflow("told") as wf:

    @task
    def only():
        print("a body ran")

if sys.argv[1:] == ["execute"]:
    wf.execute()
    print("never reached")
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file; what the command line changes in this process is as before afterwards."""
    path = tmp_path / "told.py"
    path.write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Process, "instead", None)
    for name in ("progress", "record", "durable", "max_workers", "executor"):
        monkeypatch.setattr(Settings, name, getattr(Settings, name))
    for name in ("argv", "path"):
        monkeypatch.setattr(sys, name, getattr(sys, name).copy())
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setenv("GRAFLOW_FAST_STORE", "")  # so that what `--store` sets is undone
    monkeypatch.delenv("GRAFLOW_FAST_STORE")
    return str(path)


@pytest.mark.parametrize("words", [["execute"], []])
def test_the_command_plans_what_a_program_executes_or_defines(
    program: str, words: list[str], capsys: pytest.CaptureFixture[str]
):
    try:
        code = main(["plan", "--json", program, *words])
    except SystemExit as ended:
        code = ended.code or 0  # type: ignore[assignment]
    plan = json.loads(capsys.readouterr().out)
    assert (code, plan["format"], plan["workflow"], plan["order"]) == (0, 1, "told", ["only"])


def test_the_command_runs_a_program_with_what_it_does_not_say(
    program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    code = main(
        ["run", "--record", "--workers", "3", "--executor", "inline", "--progress", "never", program, "execute"]
    )
    said = capsys.readouterr()
    assert (code, said.out, said.err) == (0, "a body ran\nnever reached\n", "")
    assert main(["show", "--json", "--store", str(tmp_path / ".graflow_fast" / "runs.db")]) == 0
    shown = json.loads(capsys.readouterr().out)["run"]
    assert (shown["workers"], shown["executor"], shown["outcome"]) == (3, "inline", "completed")
