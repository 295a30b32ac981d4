"""Every Python snippet of the pages on maps and the parallel schedule runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = "\n".join((ROOT / "docs" / name).read_text() for name in ("map.md", "parallel.md"))

# A snippet, with the output that follows it (nothing but blank lines between).
SNIPPET = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n*^```text\n(?P<output>.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
SNIPPETS = list(SNIPPET.finditer(PAGES))
NAMES = [match["name"] for snippet in SNIPPETS if (match := re.search(r'workflow\("(?P<name>.*?)"', snippet["code"]))]


def test_snippets_are_found() -> None:
    """Each has an output and a workflow of its own."""
    assert len(SNIPPETS) == PAGES.count("```python\n") == PAGES.count("```text\n") == len(set(NAMES))


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
