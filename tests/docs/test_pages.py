"""Every Python snippet of the README and of the pages runs as it stands, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from .pages import PAGES, ROOT, RUN_ELSEWHERE, Snippet, all_snippets, name_of, snippets_of

SNIPPETS = all_snippets()
EXECUTORS = ["auto", "process"]


def linked(page: Path) -> list[Path]:
    """What a page links to in the repository."""
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text) + re.findall(r"\{include\} (\S+)", text)
    return [(page.parent / link).resolve() for link in links]


def python(*arguments: str | Path, executor: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=folder,
        env=os.environ | {"GRAFLOW_FAST_EXECUTOR": executor, "GRAFLOW_FAST_WORKERS": "2"},
    )


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], dict[str, str]]:
    """What the snippet of a name says under an executor: all are run in one process the first time."""

    @cache
    def folder_of(executor: str) -> Path:
        folder = tmp_path_factory.mktemp(executor)
        for snippet in SNIPPETS:
            (folder / f"{snippet.name.replace('/', '_')}.py").write_text(snippet.code, encoding="utf-8")
        finished = python(Path(__file__).with_name("snippet_runner.py"), folder, executor=executor, folder=folder)
        assert (finished.stdout, finished.stderr, finished.returncode) == ("", "", 0)
        return folder

    def of(name: str, executor: str) -> dict[str, str]:
        text = (folder_of(executor) / f"{name.replace('/', '_')}.json").read_text(encoding="utf-8")
        return dict(json.loads(text))

    return of


@pytest.mark.parametrize("page", [page for page in PAGES if name_of(page) not in RUN_ELSEWHERE], ids=name_of)
def test_each_snippet_of_a_page_is_found_and_has_an_output(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(snippets_of(page)) == text.count("```python") == text.count("```text")


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.name)
def test_snippet_prints_what_follows_it(
    snippet: Snippet, executor: str, said: Callable[[str, str], dict[str, str]]
) -> None:
    """With the default executor, and with every body in a worker process."""
    assert said(snippet.name, executor) == {"output": snippet.output, "errors": ""}


@pytest.mark.parametrize("snippet", snippets_of(ROOT / "README.md"), ids=lambda snippet: snippet.name)
def test_snippet_of_the_readme_runs_as_a_script_of_its_own(snippet: Snippet, tmp_path: Path) -> None:
    """As the first reader does it: saved, and run by itself."""
    (tmp_path / "snippet.py").write_text(snippet.code, encoding="utf-8")
    finished = python("snippet.py", executor="auto", folder=tmp_path)
    assert (finished.stdout, finished.stderr, finished.returncode) == (snippet.output, "", 0)


def test_readme_is_short() -> None:
    """It is a front door: what is longer has a page of its own."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_figures_of_the_readme_are_those_of_the_pages_that_it_links() -> None:
    """After measuring anew: write them down again, and run `make picture`."""
    rows = re.findall(
        r"^\|.*\*\*([\d. ]+)\*\*.*\[\w+\]\((\S+)\) \|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(rows) == 5
    for figure, page in rows:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d.])", text), (figure, page)


def test_the_picture_of_the_readme_is_current() -> None:
    """`make picture` draws it from the benchmarks."""
    specification = importlib.util.spec_from_file_location("draw_front", ROOT / "docs/draw_front.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert module.picture() == (ROOT / "docs/front.svg").read_text(encoding="utf-8")
    costs = module.costs()
    described = (ROOT / "README.md").read_text(encoding="utf-8").partition("![")[2].partition("]")[0]
    assert [float(number) for number in re.findall(r"\d+(?:\.\d+)?", described)] == [
        float(f"{cost:.1f}") if cost < 10 else round(cost) for cost in costs.values()
    ]


@pytest.mark.parametrize("page", sorted({*ROOT.glob("*.md"), *PAGES}), ids=name_of)
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
    assert set(PAGES) <= reached


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
