"""No file is longer than a reader keeps in mind: a part that grows past that is split by what it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
#: What people write by hand; tables of data may be as long as they are.
_ENDINGS = {".py", ".pyi", ".rs", ".js", ".css", ".html", ".sh"}
_FOLDERS = ("python", "rust", "tests", "benches", "tools", "examples", "docs")
#: What tools leave beside the sources.
_MADE = {"target", "__pycache__", "_build", "node_modules"}
#: One stub for one module, which can't be divided.
_WHOLE = {"python/graflow_fast/_core.pyi"}


def sources(root: Path) -> Iterator[Path]:
    """All files of source text below the folders of a checkout."""
    for folder in _FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in _ENDINGS and path.is_file() and not _MADE & set(path.relative_to(root).parts):
                yield path


def too_long(root: Path) -> dict[str, int]:
    """The files over the limit, with their lines."""
    lengths = {path.relative_to(root).as_posix(): len(path.read_bytes().splitlines()) for path in sources(root)}
    return {name: lines for name, lines in lengths.items() if lines > MOST_LINES}


def test_no_file_is_too_long():
    assert too_long(ROOT).keys() - _WHOLE == set()


def test_the_exceptions_are_needed():
    assert too_long(ROOT).keys() >= _WHOLE


def test_each_kind_of_source_is_looked_at():
    seen = {(path.relative_to(ROOT).parts[0], path.suffix) for path in sources(ROOT)}
    assert {("python", ".py"), ("python", ".js"), ("rust", ".rs"), ("tests", ".py"), ("docs", ".py")} <= seen


def test_a_long_file_is_seen(tmp_path):
    (tmp_path / "rust" / "pool").mkdir(parents=True)
    (tmp_path / "rust" / "pool" / "long.rs").write_text("//\n" * (MOST_LINES + 1))
    (tmp_path / "rust" / "pool" / "right.rs").write_text("//\n" * MOST_LINES)
    (tmp_path / "rust" / "pool" / "long.json").write_text("0\n" * (MOST_LINES + 1))
    assert too_long(tmp_path) == {"rust/pool/long.rs": MOST_LINES + 1}
