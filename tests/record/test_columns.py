"""A record that contradicts itself is refused before anything is told from it."""

from __future__ import annotations

import pytest
from runs import census

from graflow_fast._record.columns import BrokenRecordError
from graflow_fast._record.run import RecordedRun


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda columns: columns.start.pop(), "'start' has another length"),
        (lambda columns: columns.functions.pop(), "'functions' has"),
        (lambda columns: columns.edges.append(0), "middle of an edge"),
        (lambda columns: columns.edges.extend((0, 99)), "'edges' has a node without a name"),
        (lambda columns: columns.node.__setitem__(0, 99), "'node' has a node without a name"),
        (lambda columns: columns.outcome.__setitem__(0, 17), "'outcome' has a number"),
    ],
)
def test_what_is_wrong_is_named(spoil, named):
    columns = census().columns()
    RecordedRun(columns)
    spoil(columns)
    with pytest.raises(BrokenRecordError, match=named):
        RecordedRun(columns)
