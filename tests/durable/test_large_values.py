"""Large values of a durable run are files beside its store, each content once, which go with their run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import _store, task, workflow
from graflow_fast.core.workflow import WorkflowContext
from graflow_fast.exceptions import GraflowRuntimeError

SIZE = 300_000


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where the store of runs is."""
    return tmp_path / "runs.db"


def program(ran: list[str], fails: bool) -> WorkflowContext:
    """Return steps that return and write the same large value again and again, and a short one that looks at it."""
    with workflow("large") as made:

        @task(inject_context=True, max_cycles=10)
        def large(ctx: Any, data: int = 0) -> bytes:
            ran.append("large")
            ctx.get_channel().set("kept", b"x" * SIZE)
            ctx.get_channel().set("other", [b"y" * SIZE, data // 2])
            if data < 4:
                ctx.next_iteration(data + 1)
            return b"x" * SIZE

        @task(inject_context=True)
        def looks(ctx: Any, large: bytes) -> tuple[int, bool, int]:
            ran.append("looks")
            if fails:
                raise ValueError("not yet")
            found, number = ctx.get_channel().get("other")
            return len(large), ctx.get_channel().get("kept") == large, len(found) + number

        large >> looks
    return made


def failed(store: Path, **options: Any) -> list[Path]:
    """Leave a run behind that failed at its end; return the files of its values."""
    with pytest.raises(GraflowRuntimeError, match="not yet"):
        program([], True).execute(durable=store, **options)
    return sorted(Path(f"{store}-values-1").iterdir())


@pytest.mark.filterwarnings("ignore::graflow_fast.exceptions.LostMutationWarning")
@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_content_is_there_once_and_comes_back_when_the_run_goes_on(store: Path, executor: str) -> None:
    """Although five rounds have written and returned it."""
    files = failed(store, executor=executor)
    assert len(files) == 4  # as it is, and with one of three numbers
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert store.parent.joinpath(f"{store.name}-values-1").stat().st_mode & 0o777 == 0o700
    assert sum(file.stat().st_size for file in store.parent.glob("runs.db*") if file.is_file()) < 300_000
    ran: list[str] = []
    assert program(ran, False).resume(store, executor=executor) == (SIZE, True, SIZE + 2)
    assert ran == ([] if executor == "process" else ["looks"])
    assert _store.check(store)["bytes"] > 4 * SIZE
    assert not _store.check(store)["findings"]


def test_a_damaged_or_lost_value_is_named(store: Path) -> None:
    """By `check`, and by who goes on; with the file back it does."""
    file = failed(store, executor="inline")[0]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert [finding["run"] for finding in _store.check(store)["findings"]] == [1]
    for change in (lambda: None, file.unlink):
        change()
        with pytest.raises(GraflowRuntimeError, match=f"gone or damaged: {file}"):
            program([], False).resume(store)
    file.write_bytes(whole)
    assert program([], False).resume(store) == (SIZE, True, SIZE + 2)


def test_values_go_with_their_run(store: Path) -> None:
    """Also what a writer left that was killed."""
    failed(store, executor="inline", sync="power")
    Path(f"{store}-values-1", "cut.new").write_bytes(b"x")
    assert not _store.check(store)["findings"]
    assert program([], False).resume(store) == (SIZE, True, SIZE + 2)
    program([], False).execute(durable=store, executor="inline")
    assert len(_store.gc(store, keep=1, dry=False)["removed"]) == 1
    assert not Path(f"{store}-values-1").exists()
    assert Path(f"{store}-values-2").exists()


PROGRAM = """
from graflow_fast import task, workflow
with workflow("large") as wf:
    @task
    def large():
        return b"x" * 300_000
wf.execute(durable="runs.db", executor="inline")
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed, which shows what reaches the disk")
def test_a_value_is_on_the_disk_before_an_entry_names_it(tmp_path: Path) -> None:
    """Entries may outlive lost power that were not waited for; then what they name must be there, too."""
    log = tmp_path / "calls"
    traced = ["strace", "-f", "-qq", "-y", "-e", "trace=openat,write,rename,fsync,fdatasync", "-o", str(log)]
    subprocess.run([*traced, sys.executable, "-c", PROGRAM], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    calls = [line.split(maxsplit=1)[1] for line in log.read_text().splitlines() if "runs.db-values-1" in line]
    told = [call.partition("(")[0] for call in calls]
    last_write, renamed = max(i for i, call in enumerate(told) if call == "write"), told.index("rename")
    assert "fsync" in told[last_write:renamed]
    assert "fsync" in told[renamed:], "its name is on the disk, too"
