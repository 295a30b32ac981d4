"""What holds for every test: the next one finds the environment as it was, but for what libraries add on import.

A test that leaves a variable behind fails itself, not one of another folder that happens to come later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    before = _environment()
    yield
    after = _environment()
    ours = {name for name in after if name.startswith("GRAFLOW_FAST_")}
    left = {name for name in before.keys() | ours if before.get(name) != after.get(name)}
    for name in left:
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]
    assert not left, f"left in the environment of the next test: {sorted(left)}"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
