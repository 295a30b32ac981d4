"""Why a task of a recorded run ran or did not, and what runs are going on, for somebody in another process."""

import json
from pathlib import Path
from typing import Any

import pytest
from runs import Recorder

from graflow_fast import load_run, parallel, task, workflow
from graflow_fast._commands.main import main
from graflow_fast._record.columns import ABANDONED
from graflow_fast._record.commands import live_json, live_lines
from graflow_fast._record.explaining import explained
from graflow_fast._store import RECORD_STREAM, open_store
from graflow_fast.exceptions import ConfigError, GraflowRuntimeError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: one with all that can happen to a task, and one that fails in the middle."""
    path = tmp_path_factory.mktemp("runs") / "runs.db"
    with workflow("much") as wf:
        tries = []

        @task
        def start() -> None: ...

        @task
        def left() -> None: ...

        @task
        def right() -> None: ...

        @task
        def member(number: int) -> None: ...

        @task(inject_context=True)
        def join(ctx: Any) -> None:
            ctx.next_task(asked)

        @task(inject_context=True)
        def choose(ctx: Any) -> None:
            ctx.next_task(elsewhere, goto=True)

        @task
        def passed_over() -> None: ...

        @task
        def behind() -> None: ...

        @task
        def elsewhere() -> None: ...

        @task(max_retries=1)
        def asked() -> None:
            tries.append(1)
            if len(tries) == 1:
                raise ConnectionError("reset")

        group = parallel(member(task_id="one", number=1), member(task_id="two", number=2)).set_group_name("both")  # type: ignore[call-arg]
        start >> left >> join
        start >> right >> join
        join >> group >> choose >> passed_over >> behind
        wf.execute("start", executor="inline", record=path)
    with workflow("failing") as wf:

        @task
        def good() -> None: ...

        @task
        def bad() -> None:
            raise ValueError("bad header")

        @task
        def after() -> None: ...

        @task
        def last() -> None: ...

        good >> bad >> after >> last
        with pytest.raises(GraflowRuntimeError):
            wf.execute(executor="inline", record=path)
    return path


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("start", "because the workflow starts there"),
        ("left", "because 'start' completed"),
        ("join", "because 'right' completed, the last one it waited for; before it 'left'"),
        ("one", "because it is a member of group 'both'"),
        ("asked", "again because an attempt of it had failed"),
        ("asked", "It failed 1 time and was tried again"),
        ("elsewhere", "because 'choose' asked for it with next_task()"),
        ("passed_over", "was skipped because 'choose' jumped elsewhere"),
        ("behind", "was skipped because all of its predecessors were: 'passed_over'"),
        ("left", "It was ready"),
    ],
)
def test_why_a_task_ran_or_was_skipped(store: Path, task: str, words: str):
    assert words in load_run(store, 1).explain(task)


def test_why_a_task_did_not_run_goes_back_to_who_failed(store: Path):
    run = load_run(store)
    assert run.explain("last") == "Task 'last' did not run because 'bad' failed."
    failed = run.explain("bad")
    assert failed.startswith("Task 'bad' failed with ValueError; it ran because 'good' completed")
    assert 'raise ValueError("bad header")' in failed
    with pytest.raises(ConfigError, match="no task 'lats'.*Did you mean 'last'"):
        run.explain("lats")


def test_what_a_task_waited_for_is_named():
    made = Recorder(workers=1)
    made.row("first", 0.0, 5.0)
    made.row("second", 5.0, 6.0, ready=1.0)
    assert "waited 4.0 s for worker 0, which ran 'first', and ran 1.0 s" in explained(
        made.run(ended=6.0).columns(), "second"
    )


def test_what_has_not_run_yet_waits_for_what_has_not_ended():
    made = Recorder(outcome="running")
    made.edge("first", "second")
    made.edge("second", "third")
    made.row("first", 0.0, 5.0)
    columns = made.run().columns()
    assert "'third' waits for 'second'" in explained(columns, "third")
    assert "'second' is running, or waits for its turn" in explained(columns, "second")
    made.row("second", 5.0, 6.0, by="first", outcome=ABANDONED)
    assert "was given up when the run ended (cancelled)" in explained(made.run(outcome="cancelled").columns(), "second")


def test_the_command_explains_for_people_and_programs(store: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", "--store", str(store), "1", "left"]) == 0
    assert "because 'start' completed" in capsys.readouterr().out
    assert main(["explain", "--store", str(store), "--json", "bad"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["run"], told["task"]) == (1, 2, "bad")
    assert [attempt["status"] for attempt in told["attempts"]] == ["failed"]
    assert main(["explain", "--store", str(store), "nothing"]) == 2
    assert "no task 'nothing'" in capsys.readouterr().err


def test_top_shows_a_run_that_goes_on_and_ends_with_it(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["top", "--store", str(store), "--once"]) == 0
    assert capsys.readouterr().out == "no run is going on; the latest, 2, is failed\n"
    assert main(["top", "--store", str(store), "1"]) == 0  # it has ended, so one look is all
    assert capsys.readouterr().out.startswith("much, run 1, completed: ")
    opened = open_store(tmp_path / "live.db")
    writer = opened.begin("going on")
    header = {"workflow": "going on", "pid": 1, "started": 0.0, "workers": 2, "executor": "process"}
    writer.append(RECORD_STREAM, b"H" + json.dumps(header).encode())
    assert main(["top", "--store", str(tmp_path / "live.db"), "--once", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["workflow"], told["outcome"], told["done"]) == (1, "going on", "running", 0)
    writer.close()


def test_the_block_of_a_run_has_its_functions_and_its_last_failure(store: Path):
    run = load_run(store)
    assert "1 failed" in live_lines(run)
    assert "last failure: ValueError: bad header" in live_lines(run)
    assert json.loads(live_json(run))["failed"] == 1
