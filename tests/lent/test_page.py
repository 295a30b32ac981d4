"""The snippets of docs/howto/llms-and-people.md print what the page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from docs.pages import ROOT, Snippet, snippets_of

SNIPPETS = snippets_of(ROOT / "docs/howto/llms-and-people.md")


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[each.name for each in SNIPPETS])
def test_a_snippet(snippet: Snippet, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", snippet.code], capture_output=True, text=True, env={**os.environ}, check=False
    )
    assert done.stdout == snippet.output, done.stderr
