"""A run as metrics: each line is one that the text format allows, and says what the record says."""

from __future__ import annotations

import re

import pytest
from runs import Recorder, census
from test_report import hostile
from test_tasks import varied

from graflow_fast._record.prometheus import metric_lines

SAMPLE = re.compile(r'(graflow_\w+)\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\[\\"n])*)"')


def samples(run) -> list[tuple[str, dict[str, str], float]]:
    found, known = [], ""
    for line in metric_lines(run):
        if line.startswith("# "):
            known = line.split(" ")[2]
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        assert name == known, "the samples of a metric stand below its type"
        found.append((name, dict(LABEL.findall(labels)), float(value)))
    return found


@pytest.mark.parametrize("run", [census(40), varied(), hostile(), Recorder().run()])
def test_each_line_is_valid_and_no_series_comes_twice(run):
    found = samples(run)
    series = [(name, tuple(sorted(labels.items()))) for name, labels, _ in found]
    assert len(set(series)) == len(series) > 5
    assert len({name for name, _, _ in found}) <= 10


def test_the_sums_are_those_of_the_record():
    run = varied()
    by_name = {(name, labels.get("function") or labels.get("status")): value for name, labels, value in samples(run)}
    for each in run.figures.functions:
        assert by_name["graflow_function_attempts", each.function] == each.attempts
        assert by_name["graflow_function_failures", each.function] == each.failures
        assert by_name["graflow_function_seconds", each.function] == each.total
    assert by_name["graflow_task_attempts", "failed"] == run.figures.counts[1]
    assert by_name["graflow_run_duration_seconds", None] == run.figures.wall
