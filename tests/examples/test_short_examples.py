"""The short examples, run as a user runs them on little data: right, the same as the plain way, and timed beside it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = ("thumbnails", "word_count", "cholesky", "search_parameters")


def needs(*modules: str) -> pytest.MarkDecorator:
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}")


def report(name: str, *arguments: str | Path) -> list[str]:
    """Return what it prints but for the two lines of times, which are looked at here."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        # joblib stays in its own process: each of its workers would import scikit-learn first, which takes seconds.
        env=os.environ | {"GRAFLOW_FAST_WORKERS": "2", "LOKY_MAX_CPU_COUNT": "1"},
    )
    assert (finished.stderr, finished.returncode) == ("", 0)  # other than 0 also where the plain way's result differs
    *lines, times, again = finished.stdout.splitlines()
    assert re.fullmatch(r"graflow_fast [\d.]+ s, \w+ [\d.]+ s: ratio [\d.]+", times)
    assert re.fullmatch(r"again, with warm workers: [\d.]+ s: ratio [\d.]+", again)
    return lines


@needs("PIL")
def test_thumbnails(tmp_path: Path) -> None:
    """One for each picture of a folder; what is no picture is named."""
    from PIL import Image

    pictures, target = tmp_path / "pictures", tmp_path / "deep" / "thumbnails"
    pictures.mkdir()
    for name, size in {"wide.png": (640, 320), "high.jpg": (100, 400), "small.png": (20, 10)}.items():
        Image.new("RGB", size, (200, 10, 10)).save(pictures / name)
    (pictures / "broken.png").write_bytes(b"no picture")
    (pictures / "notes.txt").write_text("no picture either")
    lines = report("thumbnails", pictures, target)
    assert lines == ["3 thumbnails, at most 160 × 160", "left out broken.png: UnidentifiedImageError"]
    sizes = {path.name: Image.open(path).size for path in target.iterdir()}
    assert sizes == {"wide.jpg": (160, 80), "high.jpg": (40, 160), "small.jpg": (20, 10)}


@pytest.mark.parametrize("files", [1, 130], ids=["one leaf", "a tree"])
def test_word_count(tmp_path: Path, files: int) -> None:
    """Numbers that can be checked by hand; with one leaf there is nothing to add up."""
    for number in range(files):
        (tmp_path / f"{number}.txt").write_text("Das Ei, das\nx 12 und_das ei\n")
    assert report("word_count", tmp_path, ".txt", "--top", "2") == [
        f"{files} files, {files * 6} words, 3 different ones",
        f"{files * 3:>9}  das",
        f"{files * 2:>9}  ei",
    ]


@needs("numpy")
@pytest.mark.parametrize("block", ["60", "20"], ids=["one block", "six blocks"])
def test_cholesky(block: str) -> None:
    """The factor multiplied with itself is the matrix."""
    (line,) = report("cholesky", "--size", "60", "--block", block)
    assert re.fullmatch(rf"60 × 60 in {1 if block == '60' else 6} blocks, largest error \de-1\d", line)


@needs("sklearn", "joblib")
def test_search_parameters() -> None:
    """It stops when nothing better came for so long, at the same candidate as the plain way."""
    found, stopped = report("search_parameters", "--candidates", "12", "--patience", "3")
    assert re.fullmatch(r"9\d\.\d% with C=[\d.]+, gamma=[\d.e-]+", found)
    taken = re.fullmatch(r"stopped after (\d+) of 12 candidates", stopped)
    assert taken
    assert 4 <= int(taken[1]) < 12


@pytest.mark.parametrize("name", SHORT)
def test_short_examples_are_short(name: str) -> None:
    """They are there to be copied; and the page on examples names each."""
    assert len((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()) < 150
    assert f"{name}.py" in (EXAMPLES.parent / "docs" / "examples.md").read_text(encoding="utf-8")
