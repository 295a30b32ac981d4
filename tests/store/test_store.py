"""The store of runs as Python code meets it."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from graflow_fast import _store
from graflow_fast._core import RunHeldError, RunNameTakenError, RunWriter, Store, StoreDamagedError


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return _store.open_store(tmp_path / "runs.db")


@pytest.fixture
def writer(store: Store) -> Iterator[RunWriter]:
    made = store.begin("flow", name="nightly", program='["prog.py"]')
    yield made
    made.close()


def test_records_come_back_one_by_one_and_in_batches_while_the_run_goes_and_after_it(store: Store, writer: RunWriter):
    records = [b"%d" % number * (number % 40) for number in range(3000)]
    assert [writer.append(0, record) for record in records] == list(range(3000))
    assert writer.append(1, b"another stream") == 0
    assert list(store.read(writer.run, 0)) == records
    writer.finish("finished", '{"done": 3000}')
    assert list(store.read(writer.run, 0, 2990)) == records[2990:]
    reader = store.read(writer.run, 0)
    found = [next(reader), next(reader)]
    while (batch := reader.batch()) is not None:
        found += batch
    assert found == records
    assert list(store.read(writer.run, 1)) == [b"another stream"]


def test_a_run_is_listed_as_plain_data(store: Store, writer: RunWriter):
    writer.note('{"done": 1}')
    writer.flush()
    (row,) = _store.list_runs(store.path)
    assert json.loads(json.dumps(row)) == row
    assert row == store.run(1) == store.find("nightly")
    assert {**row, "started": 0} == {
        "id": 1,
        "name": "nightly",
        "workflow": "flow",
        "state": "running",
        "started": 0,
        "ended": None,
        "epoch": 1,
        "program": '["prog.py"]',
        "counts": '{"done": 1}',
        "parent": None,
        "live": True,
    }
    writer.finish("failed", '{"done": 2}')
    row = _store.list_runs(store.path)[0]
    assert (row["state"], row["counts"], row["live"]) == ("failed", '{"done": 2}', False)
    assert store.find("other") is None


def test_errors_say_what_happened_and_what_to_do(store: Store, writer: RunWriter, tmp_path: Path):
    with pytest.raises(RunNameTakenError, match=r"a run named \"nightly\" already \(run 1\); resume it, or choose"):
        store.begin("flow", name="nightly")
    with pytest.raises(RunHeldError, match=rf"run 1 is being written by this process \({os.getpid()}\)"):
        store.resume(1)
    with pytest.raises(ValueError, match="there is no run 9 in this store"):
        store.run(9)
    with pytest.raises(ValueError, match="there is no stream 16; a run has streams 0 to 15"):
        writer.append(16, b"")
    with pytest.raises(ValueError, match="is longer than the 1048576 that a store takes"):
        writer.append(0, bytes(2**20 + 1))
    with pytest.raises(ValueError, match='a run ends finished, failed or cancelled, not "done"'):
        writer.finish("done")
    writer.finish("cancelled")
    for use in [lambda: writer.append(0, b""), writer.flush, lambda: writer.finish("finished")]:
        with pytest.raises(ValueError, match="this run has ended, nothing can be appended"):
            use()
    with pytest.raises(FileNotFoundError) as missing:
        _store.open_store(tmp_path / "none.db", read_only=True)
    assert (missing.value.errno, missing.value.filename) == (errno.ENOENT, str(tmp_path / "none.db"))
    with pytest.raises(PermissionError, match="it was opened for reading only"):
        _store.open_store(store.path, read_only=True).begin("flow")


def test_a_store_that_others_may_write_is_refused(store: Store):
    os.chmod(store.path, 0o666)
    with pytest.raises(PermissionError, match="others may write to it"):
        _store.open_store(store.path)


def test_damage_is_told_with_run_and_record_and_found_by_check(store: Store, writer: RunWriter):
    writer.append(0, b"x" * 1000)
    writer.finish("finished")
    assert _store.check(store.path) == {"runs": 1, "records": 1, "bytes": 1000, "findings": []}
    # In a process of its own: the standard library has another SQLite, and two in one process lose each other's locks.
    damage = "UPDATE chunks SET crc = crc + 1"
    program = f"import sqlite3; c = sqlite3.connect({store.path!r}); c.execute({damage!r}); c.commit()"
    subprocess.run([sys.executable, "-c", program], check=True)
    words = r"run 1 is damaged at record 0 of stream 0: the checksum is another one in chunk 0 \(records 0 to 0\)"
    with pytest.raises(StoreDamagedError, match=words):
        list(store.read(1, 0))
    (finding,) = _store.check(store.path)["findings"]
    assert finding["run"] == 1


def test_a_killed_program_loses_no_record_and_its_run_goes_on(tmp_path: Path):
    path = tmp_path / "runs.db"
    program = f"""
from graflow_fast._core import Store
writer = Store({str(path)!r}, half=65536).begin("flow")
number = 0
while True:
    writer.append(0, b"%d" % number)
    number += 1
    if number % 500 == 0:
        print(number, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [int(child.stdout.readline()) for _ in range(40)]
    child.kill()
    said += [int(line) for line in child.stdout.read().split()]
    assert child.wait() == -signal.SIGKILL
    store = _store.open_store(path)
    (run,) = store.runs()
    assert (run["state"], run["live"]) == ("running", False)
    found = list(store.read(run["id"], 0))
    assert len(found) >= said[-1]
    assert found == [b"%d" % number for number in range(len(found))]
    writer = store.resume(run["id"])
    assert (writer.epoch, writer.next(0), writer.append(0, b"more")) == (2, len(found), len(found))
    writer.finish("finished")
    assert list(store.read(run["id"], 0)) == [*found, b"more"]


def test_a_forked_child_can_not_use_it_and_its_parent_can(store: Store, writer: RunWriter):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for use in [lambda: writer.append(0, b"x"), store.runs, lambda: store.resume(1)]:
                with pytest.raises(ValueError, match="only the process that opened it may use it"):
                    use()
            with pytest.raises(PermissionError, match="this process was forked from one that has it open"):
                Store(store.path)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    writer.append(0, b"mine")
    writer.finish("finished")
    assert list(store.read(1, 0)) == [b"mine"]


def test_several_threads_may_append(store: Store, writer: RunWriter):
    def append(which: bytes) -> None:
        for number in range(500):
            writer.append(0, which + b"%d" % number)

    threads = [threading.Thread(target=append, args=(which,)) for which in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush()
    found = list(store.read(1, 0))
    for which in (b"a", b"b", b"c"):
        assert [record for record in found if record[:1] == which] == [which + b"%d" % number for number in range(500)]


def test_old_runs_are_removed_only_when_that_is_said(store: Store, writer: RunWriter):
    writer.append(0, os.urandom(500_000))
    writer.finish("finished")
    store.begin("flow").close()
    told = _store.gc(store.path, keep=0)
    assert [run["id"] for run in told["removed"]] == [1]
    assert len(_store.list_runs(store.path)) == 2
    done = _store.gc(store.path, keep=0, dry=False)
    assert [run["id"] for run in done["removed"]] == [1]
    assert done["after"] < done["before"] / 2
    assert [run["id"] for run in _store.list_runs(store.path)] == [2]
    assert [run["id"] for run in _store.gc(store.path, keep=0, unfinished=True)["removed"]] == [2]
    with pytest.raises(ValueError, match="-1 is no length of time"):
        _store.gc(store.path, older=-1.0)


def test_the_default_place_is_below_the_working_directory_unless_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRAFLOW_FAST_STORE", raising=False)
    assert _store.default_path() == Path(".graflow_fast/runs.db")
    _store.open_store().begin("flow").close()
    assert stat.S_IMODE((tmp_path / ".graflow_fast").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".graflow_fast/runs.db").stat().st_mode) == 0o600
    assert (tmp_path / ".graflow_fast/.gitignore").read_text() == "*\n"
    assert len(_store.list_runs()) == 1
    monkeypatch.setenv("GRAFLOW_FAST_STORE", str(tmp_path / "elsewhere/my.db"))
    assert _store.default_path() == tmp_path / "elsewhere/my.db"
    assert _store.open_store().path == str(tmp_path / "elsewhere/my.db")
    assert _store.list_runs() == []


def test_a_large_store_is_told_with_the_command(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_store, "LARGE", 1000)
    with pytest.warns(ResourceWarning, match=r"graflow-fast gc --older 30d makes it smaller"):
        _store.list_runs(store.path)


def test_nobody_who_imports_graflow_fast_imports_or_opens_a_store(tmp_path: Path):
    program = """
import sys, graflow_fast
from graflow_fast import task, workflow
with workflow("w") as wf:
    @task
    def one():
        return 1
    assert wf.execute("one") == 1
assert "graflow_fast._store" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
