"""Every Python snippet of the README runs as it stands and prints what the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

# A snippet, with the output that follows it (nothing but blank lines between).
SNIPPET = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n*^```text\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
SNIPPETS = list(SNIPPET.finditer(README))
NAMES = [match["name"] for snippet in SNIPPETS if (match := re.search(r'workflow\("(?P<name>.*?)"', snippet["code"]))]


def test_snippets_are_found() -> None:
    """Each has an output and a workflow of its own."""
    assert len(SNIPPETS) == README.count("```python\n") == README.count("```text\n") == len(set(NAMES))


@pytest.mark.parametrize("executor", ["auto", "process"])
@pytest.mark.parametrize("snippet", SNIPPETS, ids=NAMES)
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


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(page: str) -> None:
    """Links to files of the repository."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text())
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing


def test_make_targets_exist() -> None:
    """Commands of the README and the contributor's page."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"\bmake ([a-z]+)\b", (ROOT / page).read_text()))
        assert named
        assert named <= targets
