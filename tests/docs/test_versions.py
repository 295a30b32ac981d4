"""What is said to be supported is what is tested and built, and the notices are those of the crates of today."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from test_all import SUPPORTED  # noqa: E402 - a tool, not a package


def test_the_versions_are_the_same_everywhere() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    with_lock = [name for name in SUPPORTED if not name.endswith("t")]
    assert re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project) == with_lock
    assert f'requires-python = ">={with_lock[0]}"' in project
    assert f"abi3-py{with_lock[0].replace('.', '')}" in (ROOT / "rust" / "python" / "Cargo.toml").read_text()
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert all(f'"{name}"' in workflow for name in SUPPORTED)


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo says which crates there are")
def test_the_notices_are_of_today() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "third_party_notices.py", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
