"""The main example, run as a user runs it: on small folders of real files, on every executor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "code_census.py"

BRANCHING = '''\
"""A module."""
# a comment of its own
import re  # a comment beside code


class Reader:
    async def read(self, lines):
        for line in lines:
            if line and line.strip() or line == "x":
                yield [c for c in line if c]

        def inner():
            return 1 if self else 2


def plain():
    """Two lines
    of text."""
'''

UNPARSABLE = {
    "broken/syntax.py": (b"def broken(:\n", "SyntaxError"),
    "broken/indent.py": (b"if x:\n        1\n    2\n", "IndentationError"),
    "broken/null.py": (b"x = 1\0\n", "null bytes"),
    "broken/latin.py": (b"name = '\xf6'\n", "SyntaxError"),
    "broken/coding.py": (b"# -*- coding: no-such-codec -*-\n", "SyntaxError"),
    "broken/minus.py": (b"x = " + b"-" * 100_000 + b"1\n", "Error"),
    "broken/sum.py": (b"x = 1" + b" + 1" * 100_000 + b"\n", "RecursionError"),
}


def run(*arguments: str | Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLE, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"XDG_CACHE_HOME": str(cache), "COLUMNS": "80"},
    )


def report_of(finished: subprocess.CompletedProcess[str]) -> list[str]:
    """Return what was printed before the line that says how the run ended, and how long it took."""
    assert finished.stderr == ""
    assert finished.returncode == 0
    return finished.stdout.splitlines()[:-1]


def ending_of(finished: subprocess.CompletedProcess[str]) -> str:
    return finished.stdout.splitlines()[-1].split(" (")[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    for number in range(30):
        file = folder / f"package_{number % 3}" / f"module_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{BRANCHING}# {'x' * 10_000 * number}\n")  # several batches
    (folder / "alone.py").write_text("def only(): pass\n")
    (folder / "empty.py").write_text("")
    (folder / "notes.txt").write_text("not Python")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "skipped.py").write_text("def skipped(): pass\n")
    return folder


def test_counts_what_there_is(folder: Path, tmp_path: Path) -> None:
    """Numbers that can be checked by reading the files."""
    report = report_of(run(folder, "--no-speedup", cache=tmp_path))
    assert report[0] == f"32 files, {30 * 12 + 1:,} lines of code, {30 * 3 + 1} functions"
    rows = {line.split()[0]: line.split() for line in report[2:7] if line}
    assert rows["package_0"] == ["package_0", "10", "120", "30", "3.3", "Reader.read", "(7)"]
    assert rows["(modules)"] == ["(modules)", "2", "1", "1", "1.0", "only", "(1)"]
    assert not any("quarantine" in line or "skipped" in line for line in report)


@pytest.mark.parametrize("unparsable", [False, True], ids=["clean", "with quarantine"])
def test_same_report_on_every_executor(folder: Path, tmp_path: Path, unparsable: bool) -> None:
    """Inline, in the pool with one, two and four workers, and with every task in the pool."""
    if unparsable:
        write_unparsable(folder)
    ways = (
        ["--executor", "inline"],
        ["--workers", "1"],
        ["--workers", "2"],
        ["--workers", "4"],
        ["--executor", "process", "--workers", "2"],
    )
    reports = []
    for number, way in enumerate(ways):
        finished = run(folder, "--no-speedup", "--cache", tmp_path / f"{number}.json", *way, cache=tmp_path)
        assert ending_of(finished) == "completed"
        reports.append(report_of(finished))
    assert all(report == reports[0] for report in reports[1:])


def test_unparsable_files_are_quarantined_and_the_report_is_complete(folder: Path, tmp_path: Path) -> None:
    """Each is listed with its reason; the numbers of the others are those of a run without them."""
    clean = report_of(run(folder, "--no-speedup", cache=tmp_path))
    write_unparsable(folder)
    report = report_of(run(folder, "--no-speedup", cache=tmp_path))
    start = report.index(f"{len(UNPARSABLE)} files in quarantine")
    assert report[: start - 1] == clean[:-1]
    listed = dict(line.strip().split(": ", 1) for line in report[start + 1 : -1])
    assert list(listed) == sorted(UNPARSABLE)
    for path, (_, reason) in UNPARSABLE.items():
        assert reason in listed[path]


def test_folder_of_nothing_but_unparsable_files(tmp_path: Path) -> None:
    """A report without packages is still a report; one batch of one file is a plain task, not a group."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "bad.py").write_text("def (")
    report = report_of(run(tmp_path / "code", "--no-speedup", cache=tmp_path))
    assert report[0] == "0 files, 0 lines of code, 0 functions"
    assert any(line.startswith("  bad.py: SyntaxError: ") for line in report)


@pytest.mark.parametrize("executor", ["auto", "inline", "process"])
def test_second_run_finds_its_cache_until_a_file_changes(folder: Path, tmp_path: Path, executor: str) -> None:
    """The workflow terminates early with the same report; a change makes it measure again."""
    write_unparsable(folder)
    cache = tmp_path / "deep" / "cache.json"
    arguments = [folder, "--no-speedup", "--executor", executor, "--cache", cache]
    first = run(*arguments, cache=tmp_path)
    second = run(*arguments, cache=tmp_path)
    assert (ending_of(first), ending_of(second)) == ("completed", "nothing has changed since the last census")
    assert report_of(first) == report_of(second)
    (folder / "alone.py").write_text("def only(): pass\ndef other(): pass\n")
    third = run(*arguments, cache=tmp_path)
    assert ending_of(third) == "completed"
    assert "92 functions" in report_of(third)[0]


def test_cache_is_private_and_a_broken_one_is_no_harm(folder: Path, tmp_path: Path) -> None:
    """Default place, modes, and what happens when somebody else writes there."""
    first = run(folder, "--no-speedup", cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").rglob("*.json")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    for text in ("", "[]", '{"key": 1}', "null"):
        file.write_text(text)
        again = run(folder, "--no-speedup", cache=tmp_path / "cache")
        assert ending_of(again) == "completed"
        assert report_of(again) == report_of(first)


@pytest.mark.parametrize("executor", ["auto", "inline", "process"])
@pytest.mark.parametrize(("name", "message"), [("missing", "there is no folder"), ("empty", "there are no Python")])
def test_nothing_to_measure(tmp_path: Path, name: str, message: str, executor: str) -> None:
    """One clear line, exit code 2."""
    (tmp_path / "empty").mkdir()
    finished = run(tmp_path / name, "--executor", executor, cache=tmp_path)
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr.startswith(f"code_census: {message}")
    assert finished.stderr.count("\n") == 1


def test_comparison_of_executors(folder: Path, tmp_path: Path) -> None:
    """The table has a row for each, and all reports are the same."""
    finished = run(folder, "--workers", "3", cache=tmp_path)
    assert (finished.returncode, finished.stderr) == (0, "")
    rows = [line for line in finished.stdout.splitlines() if line.endswith("identical")]
    assert [row.split("  ")[0] for row in rows] == ["inline", "1 worker", "2 workers", "3 workers"]
    summary, path, _, page = finished.stdout.splitlines()[-4:]
    assert summary.startswith("✓ code_census: ")
    assert "list_files" in path
    assert "<!doctype html>" in Path(page.removeprefix("  written to ")).read_text()[:20].lower()


def write_unparsable(folder: Path) -> None:
    (folder / "broken").mkdir()
    for path, (content, _) in UNPARSABLE.items():
        (folder / path).write_bytes(content)
