"""`graflow-fast gc` and `check` know cached results."""

from __future__ import annotations

import json
import os
import time

import pytest
from noting import note

from graflow_fast import task, workflow
from graflow_fast._commands.main import main


@pytest.fixture
def kept(calls, run, folder):
    """Return a function that runs a task with an argument, and one that says how many results and values there are."""

    def one(n):
        with workflow("kept") as wf:

            @task(cache=True)
            def large(n):
                note(f"large{n}")
                return bytes([n]) * 100_000

            large(task_id="it", n=n)
        run(wf)
        return calls.taken()

    def counts():
        files = [each.name for each in (folder / "runs.db-cache").rglob("*") if each.is_file()]
        return len(files), len(list((folder / "runs.db-cache" / "values").glob("*/*")))

    return one, counts


def aged(path, days):
    """Let all files that are new have been used last so many days ago."""
    for each in path.rglob("*"):
        if each.is_file() and time.time() - each.stat().st_mtime < 3600:
            os.utime(each, (time.time() - days * 86400,) * 2)


def test_gc_removes_by_last_use_with_the_values(kept, folder, capsys):
    one, counts = kept
    one(1), one(2)
    assert counts() == (5, 2)
    aged(folder, 10)
    assert one(1) == []  # used now
    capsys.readouterr()
    assert main(["gc", "--older", "5d", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cache"]["removed"] == 1
    assert counts() == (5, 2)
    assert main(["gc", "--older", "5d", "--yes"]) == 0
    assert "cached results removed: 1;" in capsys.readouterr().out
    assert counts() == (3, 1)
    assert [one(1), one(2)] == [[], ["large2"]]


def test_gc_removes_the_oldest_until_it_is_small_enough(kept, folder, capsys):
    one, counts = kept
    for n in range(3):
        one(n)
        aged(folder, 3 - n)
    assert main(["gc", "--max-bytes", "150K", "--yes"]) == 0
    assert counts() == (3, 1)
    assert one(2) == []


def test_check_names_what_is_damaged(kept, folder, capsys):
    one, _ = kept
    one(1)
    assert main(["check"]) == 0
    assert "1 cached results" in capsys.readouterr().out
    (value,) = (folder / "runs.db-cache" / "values").glob("*/*")
    value.write_bytes(b"x")
    assert main(["check"]) == 1
    assert f"{value} is damaged" in capsys.readouterr().out
