"""Every Python snippet of the README and of the pages on maps and the parallel schedule runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/map.md", "docs/parallel.md")

# A snippet, with the output that follows it (nothing but blank lines between).
SNIPPET = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n*^```text\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
TEXTS = {page: (ROOT / page).read_text() for page in PAGES}
SNIPPETS = [(page, snippet) for page, text in TEXTS.items() for snippet in SNIPPET.finditer(text)]
NAMES = [
    f"{Path(page).stem}-{match['name']}"
    for page, snippet in SNIPPETS
    if (match := re.search(r'workflow\("(?P<name>.*?)"', snippet["code"]))
]


def linked(page: Path) -> list[Path]:
    """What a page links to in the repository."""
    return [(page.parent / link).resolve() for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())]


def test_snippets_are_found() -> None:
    """Each has an output and a workflow of its own."""
    assert len(SNIPPETS) == sum(text.count("```python\n") for text in TEXTS.values())
    assert len(SNIPPETS) == sum(text.count("```text\n") for text in TEXTS.values()) == len(set(NAMES))


@pytest.mark.parametrize("executor", ["auto", "process"])
@pytest.mark.parametrize("snippet", [snippet for _, snippet in SNIPPETS], ids=NAMES)
def test_snippet_prints_what_follows_it(snippet: re.Match[str], executor: str, tmp_path: Path) -> None:
    """Saved as a script and run by itself, with the default executor and with every body in a worker process."""
    script = tmp_path / "snippet.py"
    script.write_text(snippet["code"])
    finished = subprocess.run(
        [sys.executable, "-W", "error", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=os.environ | {"GRAFLOW_FAST_EXECUTOR": executor, "GRAFLOW_FAST_WORKERS": "2"},
    )
    assert (finished.stdout, finished.stderr, finished.returncode) == (snippet["output"], "", 0)


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]), ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    """Links to files of the repository."""
    assert not [path for path in linked(page) if not path.exists()]


def test_every_page_can_be_found() -> None:
    """From the README, or from a page that it names."""
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            todo += linked(page)
    assert set(ROOT.glob("docs/*.md")) <= reached


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design.md"])
def test_paths_in_the_pages_for_developers_exist(page: str) -> None:
    """Files and folders named in backquotes: from the root, from the package, or from a folder of it."""
    bases = [ROOT, ROOT / "docs", ROOT / "python/graflow_fast", ROOT / "rust/pool/src", ROOT / "rust/python/src"]
    named = re.findall(r"`((?:[\w-]+/)*[\w-]+(?:\.(?:py|rs|md)|/[\w-]+))`", (ROOT / page).read_text())
    assert named
    assert not [path for path in named if not any((base / path).exists() for base in bases)]


def test_make_targets_exist() -> None:
    """Commands of the README and the contributor's page."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"\bmake ([a-z]+)\b", (ROOT / page).read_text()))
        assert named
        assert named <= targets


def test_the_map_of_the_driver_names_each_of_its_modules() -> None:
    """And no other."""
    folder = ROOT / "python/graflow_fast/_run"
    there = {path.stem for path in folder.iterdir() if path.stem not in ("__init__", "__pycache__")}
    named = re.findall(r"`(\w+)`", (folder / "__init__.py").read_text().partition("- The run")[2])
    assert set(named) == there
    assert len(named) == len(there)
