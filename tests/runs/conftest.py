"""Each place that bodies can run in, the signs of one test, and what is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from kept import Kept
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


@pytest.fixture
def kept() -> Iterator[Kept]:
    """A handler of the root logger, which hears of all from INFO on."""
    handler, level = Kept(), logging.root.level
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)
    yield handler
    logging.root.removeHandler(handler)
    logging.root.setLevel(level)
