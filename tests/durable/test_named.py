"""What the page on durability says of tests is so: each that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_test_that_the_page_names_is_there() -> None:
    """In Python and in Rust."""
    page = (ROOT / "docs" / "durability.md").read_text()
    table = page[page.index("## How it is tested") :]
    named = {name for name in re.findall(r"`(\w+)`", table) if name.count("_") > 3}
    assert len(named) > 20
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "rust" / "store").rglob("*.rs")]
    there = {name for file in files for name in re.findall(r"(?:def|fn) (\w+)\(", file.read_text())}
    assert named <= there
