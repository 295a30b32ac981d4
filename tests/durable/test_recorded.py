"""A durable run is recorded, too: what is shown of it while it was killed, and after it went on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from durable_programs import run

from graflow_fast import task, workflow
from graflow_fast._record.loading import load_run
from graflow_fast.exceptions import ConfigError

PROGRAM = """
import graflow_fast._run.recording
from graflow_fast._record.loading import load_run

graflow_fast._run.recording.INTERVAL = 0.005
with workflow("shown") as wf:

    def step(n):
        @task(id=f"t{n}", max_retries=1, inject_context=True)
        def body(ctx):
            if n == 1 and ctx.retry_count == 0:
                raise ValueError("at first")
            while n == 2 and len(sys.argv) > 2 and len(list(load_run(store).tasks())) < 3:
                time.sleep(0.005)
            return n
        return body

    tasks = [step(n) for n in range(4)]
    for before, behind in zip(tasks, tasks[1:]):
        before >> behind
if len(sys.argv) > 2:
    kill_at(lambda entry: entry[0] == "returned" and entry[1][1] == "t2")
wf.execute(durable=store, run="r")
"""


def shown(folder: Path) -> list[dict[str, Any]]:
    """Return what the command line says of the attempts of the run in a folder."""
    command = [sys.executable, "-m", "graflow_fast", "tasks", "--json", "--store", str(folder / "runs.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)["tasks"]
    return found


def test_a_durable_run_is_shown_when_it_was_killed_and_as_a_whole_when_it_went_on(tmp_path: Path) -> None:
    """The process that goes on tells all of it again: names, attempts, errors, times."""
    code, _, errors = run(tmp_path, PROGRAM, "first")
    assert code == -signal.SIGKILL, errors
    assert "killed after" in load_run(tmp_path / "runs.db", "r").summary()
    assert [row["task"] for row in shown(tmp_path)][:3] == ["t0", "t1", "t1"]
    code, _, errors = run(tmp_path, PROGRAM)
    assert code == 0, errors
    rows = shown(tmp_path)
    assert [(row["task"], row["attempt"]) for row in rows] == [("t0", 1), ("t1", 1), ("t1", 2), ("t2", 1), ("t3", 1)]
    assert "at first" in rows[1]["error"]
    starts = [row["start"] for row in rows]
    assert starts == sorted(starts)
    assert "4 tasks in" in load_run(tmp_path / "runs.db").summary()


def test_the_context_of_a_durable_run_has_its_record_also_when_the_run_is_only_given_back(tmp_path: Path) -> None:
    """Without `record=`."""
    with workflow("kept") as made:

        @task
        def only() -> int:
            return 1

    for _ in range(2):
        _, context = made.execute(durable=tmp_path / "runs.db", run="r", ret_context=True)
        assert [row.task for row in context.run.tasks()] == ["only"]


def test_a_record_elsewhere_is_refused(tmp_path: Path) -> None:
    """There is one record of a run, beside its journal."""
    with workflow("elsewhere") as made:

        @task
        def only() -> int:
            return 1

    with pytest.raises(ConfigError, match="leave out record="):
        made.execute(durable=tmp_path / "runs.db", record=tmp_path / "record.db")
    assert made.execute(durable=tmp_path / "runs.db", record=tmp_path / "runs.db") == 1
