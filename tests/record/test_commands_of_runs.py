"""The command line about recorded runs, as people use it: list, show, select, report, check, clean up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from graflow_fast import parallel, task, workflow

with workflow("census") as wf:

    @task
    def measure(n):
        if n == 3:
            raise ValueError("bad header")
        return n

    @task
    def total():
        pass

    group = parallel(*[measure(task_id=f"m{n}", n=n) for n in range(5)]).set_group_name("all")
    group.with_execution(policy="best_effort") >> total
    wf.execute(record=True, executor="inline")
"""
KILLED = """
import os, time
from graflow_fast import parallel, task, workflow

with workflow("killed") as wf:

    @task
    def quick(n):
        pass

    @task
    def kills():
        time.sleep(1.2)  # longer than a record waits until it is written
        os.kill(os.getpid(), 9)

    quick(task_id="before", n=0) >> kills
    wf.execute(record=True, executor="inline")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two programs have run: one to its end, one was killed."""
    path = tmp_path_factory.mktemp("runs")
    for name, text, code in (("census", PROGRAM, 0), ("killed", KILLED, -9)):
        (path / f"{name}.py").write_text(text)
        done = subprocess.run([sys.executable, f"{name}.py"], cwd=path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    return path


def command(folder: Path, *words: str, code: int = 0) -> str:
    """What `graflow-fast` says."""
    line = [sys.executable, "-m", "graflow_fast", *words]
    here = {name: value for name, value in os.environ.items() if name != "GRAFLOW_FAST_STORE"}
    done = subprocess.run(line, cwd=folder, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_runs_are_listed_with_how_they_stand(folder: Path) -> None:
    rows = [json.loads(line) for line in command(folder, "runs", "--json").splitlines()]
    assert [(row["id"], row["workflow"], row["state"]) for row in rows] == [
        (2, "killed", "killed"),
        (1, "census", "finished"),
    ]
    assert rows[1]["counts"]["failed"] == 1
    lines = command(folder, "runs").splitlines()
    assert lines[0].split() == ["run", "workflow", "state", "started", "took", "tasks"]
    assert "census" in lines[2]
    assert "1 failed" in lines[2]


def test_a_killed_run_tells_how_far_it_came(folder: Path) -> None:
    said = command(folder, "show")
    assert "killed" in said
    tasks = json.loads(command(folder, "tasks", "--json"))["tasks"]
    assert [(task["task"], task["status"]) for task in tasks] == [("before", "completed")]


def test_failures_are_found_and_written_down(folder: Path) -> None:
    assert "ValueError: bad header" in command(folder, "tasks", "1", "--where", "status=failed")
    shown = json.loads(command(folder, "show", "1", "--json"))
    assert shown["run"]["outcome"] == "completed"
    assert command(folder, "report", "1") == "report: census-1.html\n"
    assert "bad header" in command(folder, "show", "1")
    assert (folder / "census-1.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert command(folder, "trace", "1", "-o", "t.json").startswith("trace: t.json")
    json.loads((folder / "t.json").read_text(encoding="utf-8"))


def test_what_is_not_there_is_said_in_a_line(folder: Path, tmp_path: Path) -> None:
    assert command(folder, "show", "9", code=2).startswith("graflow-fast: There is no run '9'")
    assert "'wrong' is nothing that a task has" in command(folder, "tasks", "--where", "wrong=1", code=2)
    said = command(tmp_path, "runs", code=2)
    assert "record=True" in said
    assert len(said.splitlines()) == 1
    assert "say what may go" in command(folder, "gc", code=2)
    assert "'soon' is no age" in command(folder, "gc", "--older", "soon", code=2)


def test_a_pipe_that_ends_early_is_no_error(folder: Path) -> None:
    line = f"{sys.executable} -m graflow_fast tasks 1 | head -1"
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_store_is_checked_and_cleaned_up(folder: Path) -> None:
    """The last one: it removes a run."""
    assert json.loads(command(folder, "check", "--json"))["findings"] == []
    assert "would remove: 1" in command(folder, "gc", "--keep", "1")
    assert len(command(folder, "runs").splitlines()) == 3
    removed = json.loads(command(folder, "gc", "--keep", "1", "--yes", "--json"))["removed"]
    assert [row["id"] for row in removed] == [1]
    assert len(command(folder, "runs").splitlines()) == 2
