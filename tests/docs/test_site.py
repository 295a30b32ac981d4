"""The site builds without a warning, has every public name, and its own links lead somewhere.

One build for all of it. Without Sphinx (requirements/site.txt) it is skipped.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
import zlib
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from .pages import ROOT

NEEDED = ("sphinx", "myst_parser", "furo", "sphinx_copybutton")
ABSENT = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}; requirements/site.txt"),
    pytest.mark.timeout(300),  # the build takes some fifteen seconds of processor time
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-j", "2", "-W", "--keep-going", "-d", folder / "doctrees"]
    built = subprocess.run([*command, ROOT / "docs", folder / "html"], capture_output=True, text=True, timeout=280)
    assert (built.stdout, built.stderr, built.returncode) == ("", "", 0)
    return folder / "html"


def in_the_reference(site: Path) -> dict[str, str]:
    """Return the kind of each Python name that has an entry."""
    _, _, _, _, packed = (site / "objects.inv").read_bytes().split(b"\n", 4)
    lines = re.findall(r"^(\S+) py:(\w+) ", zlib.decompress(packed).decode(), re.MULTILINE)
    return {name: kind for name, kind in lines if kind in ("class", "function", "exception", "data")}


def find(name: str) -> Any:
    """Return what a dotted name means: a module's attribute."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def public_names() -> list[str]:
    """Names of the package, of its errors, and of every module that is part of graflow's interface."""
    table = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    names = {f"graflow_fast.{name}" for name in re.findall(r"^\| `([\w.]+)` \| (?:same|better) ", table, re.MULTILINE)}
    modules = {importlib.import_module(name.rpartition(".")[0]) for name in names}
    modules |= {importlib.import_module(f"graflow_fast{name}") for name in ("", ".exceptions", ".trace")}
    for module in modules:
        names |= {f"{module.__name__}.{name}" for name in exported(module)}
    names |= {
        f"graflow_fast.core.{name}" for name in ("mapping.MapTask", "workflow_run.WorkflowRun")
    }  # methods give them
    return sorted(names - {"graflow_fast.__version__"})


def exported(module: ModuleType) -> list[str]:
    return list(getattr(module, "__all__", ()))


def test_reference_has_every_public_name(site: Path) -> None:
    """Under the name that is asked for, or another name of the same thing."""
    present = in_the_reference(site)
    things = [find(name) for name in present]
    assert len(public_names()) > 90
    missing = [name for name in public_names() if not any(find(name) is thing for thing in things)]
    assert [name for name in missing if name not in present] == []


def test_reference_has_methods_and_options(site: Path) -> None:
    """Made from the docstrings: a method, and what an argument means."""
    page = (site / "reference" / "tasks.html").read_text(encoding="utf-8")
    assert "with_execution" in page
    assert "seconds an attempt may take before its process is killed" in page


def test_every_variable_of_the_environment_is_on_its_page() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "python").rglob("*.py")]
    read = {name for source in sources for name in re.findall(r"\"(GRAFLOW_FAST_[A-Z_]+)\"", source)}
    listed = re.findall(r"^\| `(\w+)`", (ROOT / "docs/reference/environment.md").read_text("utf-8"), re.MULTILINE)
    assert read == set(listed)


class Page:
    """The links of a page, and the anchors on it."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        self.links = {unescape(link) for link in re.findall(r'\s(?:href|src)="([^"]+)"', text)}
        self.anchors = {unescape(anchor) for anchor in re.findall(r'\sid="([^"]+)"', text)}


def test_links_of_the_site_lead_somewhere(site: Path) -> None:
    """To a file of the site, and to an anchor of it. What a page loads comes with the site."""
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 30
    lost = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[target].anchors if target in pages else None
            if not target.exists() or (parts.fragment and known is not None and unquote(parts.fragment) not in known):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert lost == []


def test_search_finds_a_word_of_each_kind_of_page(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert all(name in index for name in ('"tutorial"', '"howto/retries"', '"reference/tasks"', '"errors"'))
