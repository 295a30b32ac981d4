"""The patterns are those of the paper: each relation by hand for a small width."""

from __future__ import annotations

from itertools import pairwise

import pytest

from .patterns import PATTERNS, pattern

THIRD = {  # what the columns of step 2 read at width 4
    "trivial": [(), (), (), ()],
    "no_comm": [(0,), (1,), (2,), (3,)],
    "stencil_1d": [(0, 1), (0, 1, 2), (1, 2, 3), (2, 3)],
    "fft": [(0, 2), (1, 3), (0, 2), (1, 3)],
    "tree": [(0,), (0,), (1,), (1,)],
    "spread": [(0, 1, 2, 3)] * 4,
    "nearest": [(0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 3), (1, 2, 3)],
    "all_to_all": [(0, 1, 2, 3)] * 4,
    "dom": [(0,), (0, 1), (1, 2), (2, 3)],
}


@pytest.mark.parametrize("name", THIRD)
def test_relations(name: str) -> None:
    assert pattern(name, 4, 3)[2] == THIRD[name]


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("width", [1, 2, 7, 16])
def test_rows_fit_together(name: str, width: int) -> None:
    """Rows have one tuple for each task, and name tasks of the row before, each once and in order."""
    rows = pattern(name, width, 9)
    assert rows == pattern(name, width, 9)  # the same every time
    assert not any(rows[0])
    assert len(rows[-1]) == width
    for before, row in pairwise(rows):
        for read in row:
            assert list(read) == sorted(set(read))
            assert all(0 <= column < len(before) for column in read)


def test_spread_changes_with_the_step() -> None:
    rows = pattern("spread", 10, 3)
    assert rows[1][0] == (0, 2, 4, 6, 8)
    assert rows[2][0] == (0, 3, 5, 7, 9)


def test_random_nearest_reads_itself_and_near_columns() -> None:
    rows = pattern("random_nearest", 50, 4)[1:]
    assert all(column in row[column] for row in rows for column in range(50))
    assert all(abs(other - column) <= 2 for row in rows for column in range(50) for other in row[column])
    assert 2 < sum(len(read) for row in rows for read in row) / 150 < 4


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="no pattern is called 'ring'"):
        pattern("ring", 4, 4)
    with pytest.raises(ValueError, match="at least one column"):
        pattern("fft", 0, 4)
