"""Each place that bodies can run in, and the signs of one test."""

from __future__ import annotations

from pathlib import Path

import pytest
from signs import EXECUTORS, Signs


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> str:
    """Each place that bodies can run in."""
    name: str = request.param
    return name


@pytest.fixture
def signs(tmp_path: Path) -> Signs:
    """Signs of one test."""
    return Signs(tmp_path)
