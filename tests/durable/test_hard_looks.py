"""More cases that other engines were caught by: effects outside, damaged rows, edits, and who looks meanwhile."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from durable_programs import noted, run

from graflow_fast import _store
from graflow_fast._commands.main import main as command_line

KILLED = -signal.SIGKILL

EFFECT = """
import uuid
left = int(sys.argv[2])
with workflow("effect") as wf:

    @task
    def a():
        found = str(uuid.uuid4())
        with open(folder / "a", "a") as file:
            file.write(f"{found}\\n")
        return found

    @task
    def b(a):
        with open(folder / "b", "a") as file:
            file.write(f"{a}\\n")
        return a

    a >> b

def watched(entry, is_written):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1

Journal.watch = staticmethod(watched)
print(wf.execute(durable=store, run="r", executor=sys.argv[3], max_workers=1))
"""


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_what_comes_after_a_task_sees_only_what_of_it_is_written_down(tmp_path: Path, executor: str) -> None:
    """Hard test 1: killed before and after each entry, A's line is there once if A was done, B saw one value of A."""
    for point in range(8):  # beginning, A, B, end
        folder = tmp_path / str(point)
        folder.mkdir()
        assert run(folder, EFFECT, str(point), executor)[0] == KILLED
        code, said, errors = run(folder, EFFECT, "-1", executor)
        assert code == 0, errors
        lines = (folder / "a").read_text().splitlines()
        # Killed before its entry was written, A had run and runs again.
        assert len(lines) == (2 if point == 2 else 1)
        assert set((folder / "b").read_text().splitlines()) == {lines[-1]} == {said.strip()}


DONE = """
with workflow("done") as wf:

    @task
    def only():
        note("only")
        return 1
print(wf.execute(durable=store, run=sys.argv[2]))
"""


@pytest.mark.parametrize("column", ["state", "counts", "program", "workflow"])
def test_a_damaged_row_of_a_run_hides_no_other_run(tmp_path: Path, column: str) -> None:
    """Hard test 5, the table of runs: the others are listed, shown and go on, and cleaning does its work."""
    for name in ("first", "second"):
        assert run(tmp_path, DONE, name)[:2] == (0, "1\n")
    store = tmp_path / "runs.db"
    with sqlite3.connect(store) as connection:
        connection.execute(f"update runs set {column} = cast(x'78ff' as text) where name = 'first'")
    connection.close()
    assert [row["name"] for row in _store.list_runs(store)] == ["second", "first"]
    assert [finding["run"] for finding in _store.check(store)["findings"]] == [1]
    assert run(tmp_path, DONE, "second")[:2] == (0, "1\n")
    assert command_line(["show", "2", "--store", str(store)]) == 0
    assert len(_store.gc(store, keep=1, dry=False)["removed"]) == 1
    assert noted(tmp_path) == ["only", "only"]


LOOKED_AT = """
with workflow("looked at") as wf:

    def step(n):
        @task(id=f"t{n}")
        def body():
            note(f"t{n}")
            time.sleep(0.01)
            return n
        return body

    tasks = [step(n) for n in range(12)]
    for before, behind in zip(tasks, tasks[1:]):
        before >> behind
if len(sys.argv) > 2:
    kill_at(lambda entry: entry[0] == "returned" and entry[1][1] == sys.argv[2])
print(wf.execute(durable=store, run="r"))
"""


def test_who_looks_while_a_run_is_killed_and_goes_on_changes_nothing(tmp_path: Path) -> None:
    """Hard test 12: listed and shown all the time; whoever goes on after a kill needs no unlocking."""
    over, looks = threading.Event(), []
    store = tmp_path / "runs.db"

    def look() -> None:
        while not over.is_set():
            if not store.exists():
                continue
            show = [sys.executable, "-m", "graflow_fast", "show", "1", "--store", str(store)]
            looks.append((_store.list_runs(store), subprocess.run(show, capture_output=True, check=False).returncode))

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for last in ("t2", "t5", "t8"):
            assert run(tmp_path, LOOKED_AT, last)[:2] == (KILLED, "")
        code, said, errors = run(tmp_path, LOOKED_AT)
    finally:
        over.set()
        looker.join()
    assert (code, said) == (0, "11\n"), errors
    assert noted(tmp_path) == [f"t{n}" for n in range(12)]
    assert len(looks) > 1
    assert {len(rows) for rows, _ in looks} <= {0, 1}


LISTS = """
from graflow_fast import _store
with workflow("lists") as wf:

    @task(inject_context=True, max_cycles=200)
    def lists(ctx, data=0):
        if data < 60:
            ctx.next_iteration(data + 1)
        return _store.list_runs(store)
print(len(wf.execute(durable=store)))
"""


def test_a_run_that_keeps_what_lists_it_does_not_grow_by_itself(tmp_path: Path) -> None:
    """Hard test 13: a body returns the rows of its own store; rows name what a run wrote, and don't hold it."""
    code, said, errors = run(tmp_path, LISTS)
    assert (code, said) == (0, "1\n"), errors
    assert (tmp_path / "runs.db").stat().st_size + (tmp_path / "runs.db-wal").stat().st_size < 500_000


CACHED = """
import near
with workflow("cached") as wf:

    @task(cache=True)
    def counted(numbers=(1, 2)):
        note("ran")
        return near.total(numbers)

    @task(cache=True, version=1)
    def fixed():
        note("fixed")
        return near.total((3,))

    counted >> fixed
print(wf.execute())
"""
FAR = "def norm(number):\n    return number * 2\n"
EDITS = (
    # (what the helper two imports away is, whether the body runs again)
    (FAR, True),
    ("# a comment\n\n\n" + FAR, False),
    ('"""A docstring."""\n\n\ndef norm(number):\n    """Another."""\n    return number*2\n', False),
    ("def norm(number):\n    print(number)\n    return number * 2\n", True),
    (FAR, False),  # back on the branch of before
)


def test_an_edit_of_a_helper_two_imports_away_misses_and_cosmetics_hit(tmp_path: Path) -> None:
    """Hard test 9: by the code of the user's own files; with a version of one's own nothing of it counts."""
    (tmp_path / "near.py").write_text("import far\n\n\ndef total(numbers):\n    return sum(map(far.norm, numbers))\n")
    os.environ["GRAFLOW_FAST_STORE"] = str(tmp_path / "runs.db")
    try:
        for far, runs in EDITS:
            before = len(noted(tmp_path)) if (tmp_path / "noted").exists() else 0
            (tmp_path / "far.py").write_text(far)
            code, _, errors = run(tmp_path, CACHED)
            assert code == 0, errors
            ran = noted(tmp_path)[before:]
            assert ran == (["ran"] if runs and before else ["ran", "fixed"] if runs else []), far
    finally:
        del os.environ["GRAFLOW_FAST_STORE"]
