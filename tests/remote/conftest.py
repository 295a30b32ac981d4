"""Stations for tests: in child processes of this one, so no engine is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graflow_fast._pool import registry

from .carriers import Children


@pytest.fixture
def children() -> Iterator[Any]:
    """Return a function that makes an engine of child processes."""
    made: list[Children] = []

    def make(*arguments: Any, **options: Any) -> Children:
        made.append(Children(*arguments, **options))
        return made[-1]

    yield make
    registry.shutdown_all()
    for carrier in made:
        carrier.close()
