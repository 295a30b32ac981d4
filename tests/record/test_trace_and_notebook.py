"""What else shows a run: the trace for Perfetto, a notebook's picture, and what the command line prints."""

from __future__ import annotations

import gzip
import json
import xml.etree.ElementTree as elements
from itertools import pairwise

import pytest
from many import many
from runs import Recorder, census
from test_report import hostile
from test_tasks import varied

from graflow_fast._record.commands import report_file, summary_json, summary_text, tasks_lines, trace_file
from graflow_fast._record.slices import write_trace
from graflow_fast.exceptions import ConfigError


def traced(run, tmp_path, **options):
    path = tmp_path / "run.json"
    write_trace(run.columns(), run.path, path, **options)
    return json.loads(path.read_text())["traceEvents"]


def overlapping():
    made = Recorder()
    for start, end in ((0, 2), (1, 3), (0.5, 3.5), (3.5, 4)):
        made.row("coroutine", start, end)
    return made.run()


@pytest.mark.parametrize("run", [census(40), varied(), hostile(), overlapping(), Recorder().run()])
def test_slices_of_a_track_do_not_overlap(run, tmp_path):
    events = traced(run, tmp_path)
    slices = sorted((each["tid"], each["ts"], each["dur"]) for each in events if each["ph"] == "X")
    assert len(slices) == sum(task.start is not None for task in run.tasks())
    for (track, start, length), (next_track, next_start, _) in pairwise(slices):
        assert track != next_track or start + length <= next_start + 1e-3


def test_tracks_have_the_names_of_workers_and_the_path_is_a_flow(tmp_path):
    events = traced(census(), tmp_path)
    names = [each["args"]["name"] for each in events if each["name"] == "thread_name"]
    assert names == ["calling thread", "worker 0", "worker 1"]
    assert [each["ph"] for each in events if each["name"] == "critical path"] == ["s", "t", "f"]


def test_more_slices_than_viewers_bear_are_joined(tmp_path):
    run = many(1000, failures=10)
    events = traced(run, tmp_path, most=100)
    slices = [each for each in events if each["ph"] == "X"]
    assert len(slices) <= 100
    assert sum(each["args"]["attempts"] for each in slices) == 1001


def test_a_name_that_ends_in_gz_is_compressed(tmp_path):
    assert trace_file(census(), tmp_path / "run.json.gz").endswith("run.json.gz (open it at ui.perfetto.dev)")
    assert json.loads(gzip.decompress((tmp_path / "run.json.gz").read_bytes()))["otherData"]["workflow"] == "census"


@pytest.mark.parametrize("run", [census(40), many(3000), Recorder().run()])
def test_a_notebook_gets_static_html_of_bounded_size(run):
    shown = run._repr_mimebundle_()
    assert shown["text/plain"] == run.summary()
    page = shown["text/html"]
    assert len(page.encode()) < 400_000
    assert page.count("<rect") <= 2000
    assert "<script" not in page
    elements.fromstring(page)  # well-formed, so nothing of a name became markup


def test_the_command_line_prints_tasks():
    lines = list(tasks_lines(varied(), where="status=failed"))
    assert [line.split() for line in lines] == [
        ["task", "status", "attempt", "worker", "started", "waited", "ran", "error"],
        ["batch_2", "failed", "1", "1", "1.0", "s", "0", "µs", "3.0", "s", "TimeoutError"],
    ]
    assert summary_text(varied()).startswith(varied().summary())


def test_json_of_tasks_is_one_object_and_a_row_to_a_line():
    lines = list(tasks_lines(varied(), where="batch", as_json=True))
    told = json.loads("\n".join(lines))
    assert (told["format"], told["workflow"], len(lines)) == (1, "census", 5)
    assert told["tasks"][2] == {
        "row": 3, "task": "batch_2", "function": "batch", "status": "failed", "attempt": 1, "branch": 0, "worker": 1,
        "released_by": "fetch", "ready": 1.0, "start": 1.0, "end": 4.0, "error": "TimeoutError",
        "traceback": "Traceback",
        "ran": 3.0, "waited": 0.0,
    }  # fmt: skip
    assert json.loads("".join(tasks_lines(varied(), where="nothing_like_it", as_json=True)))["tasks"] == []


def test_json_of_the_summary():
    told = json.loads(summary_json(census()))
    assert (told["tasks"], told["retries"], told["run"]["workflow"]) == (6, 1, "census")
    assert [step["task"] for step in told["critical_path"]["steps"]] == ["list_files", "batch_001", "build_report"]


def test_a_wrong_condition_is_refused_at_once():
    with pytest.raises(ConfigError, match="is nothing that a task has"):
        tasks_lines(varied(), where="stauts=failed")


def test_the_report_says_where_it_is(tmp_path):
    assert report_file(census(), tmp_path / "run.html") == f"report: {tmp_path}/run.html"
    assert (tmp_path / "run.html").exists()
