"""What the record of a run says of results that were taken from the cache, and of those that were made again."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from graflow_fast import task, workflow
from graflow_fast._body import origins
from graflow_fast._cache.body import _opened
from graflow_fast._commands.main import main
from graflow_fast.exceptions import NotCachedWarning


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where runs are recorded, and results are kept beside."""
    monkeypatch.setenv("GRAFLOW_FAST_STORE", str(tmp_path / "runs.db"))
    return tmp_path / "runs.db"


def record_run(number: int) -> None:
    """Record a run of a task whose argument is said, of one that has always the same, and of one that is not kept."""
    with workflow("shown") as made:

        @task(cache=True)
        def varies(number: int) -> int:
            return number

        @task(cache=True)
        def stays() -> int:
            return 1

        @task(cache=True)
        def refused(lock: object) -> None: ...

        varies(task_id="v", number=number) >> stays >> refused(task_id="r", lock=threading.Lock())
    with pytest.warns(NotCachedWarning):
        made.execute(record=True, executor="inline")


def test_a_record_says_why_a_task_ran_again(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the parts of its key, which the record has: whoever asks need not have run it."""
    _opened.clear()
    for number in (1, 2):
        record_run(number)
        origins.forget_all()
    capsys.readouterr()
    assert main(["show", "2", "--store", str(store)]) == 0
    assert "cache: 1 taken, 1 made and kept, 1 not kept" in capsys.readouterr().out
    assert main(["show", "2", "--store", str(store), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cache"] == {"taken": 1, "made": 1, "not_kept": 1}
    assert main(["show", "2", "--why", "v", "--store", str(store)]) == 0
    assert "the body ran: argument 'number' is another value." in capsys.readouterr().out
    assert main(["show", "2", "--why", "stays", "--store", str(store), "--json"]) == 0
    assert "Its result was taken from the cache" in json.loads(capsys.readouterr().out)["text"]
    assert main(["show", "2", "--why", "r", "--store", str(store)]) == 0
    assert "is not cached: " in capsys.readouterr().out
