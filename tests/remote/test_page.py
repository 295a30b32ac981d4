"""The example of docs/machines.md runs as it stands, and ends without a word on standard error."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "machines.md"


@pytest.mark.timeout(200)
def test_the_example_of_a_local_cluster(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    program = re.findall(r"```py\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    (tmp_path / "program.py").write_text(program)
    finished = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    shown = ["start", *[f"{number} squared" for number in range(8)], "total 140"]
    assert (finished.stdout.splitlines(), finished.stderr, finished.returncode) == (shown, "", 0)
