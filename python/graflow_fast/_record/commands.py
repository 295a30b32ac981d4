"""What the commands ``show``, ``tasks``, ``report`` and ``trace`` print and write, as functions of a run.

Parses no arguments and opens no record: that is the command line's. The JSON is stable; docs/record.md says what it
means.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from os import PathLike, fspath
from typing import Any

from graflow_fast._record.columns import FAILED
from graflow_fast._record.conditions import condition_of
from graflow_fast._record.run import RecordedRun
from graflow_fast._record.summary import cache_counts
from graflow_fast._record.tasks import Task
from graflow_fast._record.words import number_words, percent_words, seconds_words, shortened

#: Rises when a field changes its meaning or goes; new fields may come without.
JSON_FORMAT = 1

_NAME, _ERROR = 40, 80
#: So many functions are shown of a run that is going on.
_FUNCTIONS = 8


def summary_text(run: RecordedRun, *, glyphs: bool = True) -> str:
    """The run in a few lines, as at its end in a terminal, and the verdict."""
    return "\n".join([run.summary(glyphs=glyphs), "", *run.verdict()])


def summary_json(run: RecordedRun) -> str:
    """The same as one JSON object."""
    figures = run.figures
    value: dict[str, Any] = {
        "format": JSON_FORMAT,
        "run": run.columns().meta,
        "wall": figures.wall,
        "tasks": figures.tasks,
        "retries": figures.retries,
        "not_run": figures.not_run,
        "busy": figures.busy,
        "cache": dict(zip(("taken", "made", "not_kept"), cache_counts(run.columns()), strict=True)),
        "verdict": run.verdict(),
        "critical_path": {
            "length": run.path.length,
            "steps": [{"task": task, "waited": waited, "ran": ran} for task, waited, ran in run.critical_path()],
        },
        "functions": [
            {key: number for key, number in each._asdict().items() if key not in ("longest_row", "histogram")}
            for each in figures.functions
        ],
        "workers": [each._asdict() for each in figures.by_worker],
    }
    return json.dumps(value, default=str)


def tasks_lines(run: RecordedRun, *, where: str = "", as_json: bool = False) -> Iterator[str]:
    """The rows that ``where`` selects, a line each, without line breaks.

    Args:
        run: The run.
        where: Such as ``status=failed fn=measure >1s``; all rows without.
        as_json: One JSON object in all, a row to a line, so that it can be read by lines as well.

    Raises:
        ConfigError: ``where`` can't be understood. At once, not with the first line.
    """
    condition = condition_of(where)
    chosen = (task for task in run.tasks() if condition(task))
    return _as_json(run, chosen) if as_json else _as_text(chosen)


def _as_text(tasks: Iterator[Task]) -> Iterator[str]:
    columns = ("task", "status", "attempt", "worker", "started", "waited", "ran", "error")
    layout = f"{{:{_NAME}}}  {{:9}}  {{:>7}}  {{:>6}}  {{:>9}}  {{:>9}}  {{:>9}}  {{}}"
    yield layout.format(*columns).rstrip()
    for task in tasks:
        times = ("-" if time is None else seconds_words(time) for time in (task.start, task.waited, task.ran))
        worker = "-" if task.worker is None else "caller" if task.worker < 0 else str(task.worker)
        error = shortened(task.error, _ERROR) if task.error else ""
        name = shortened(task.task, _NAME)
        yield layout.format(name, task.status, task.attempt, worker, *times, error).rstrip()


def _as_json(run: RecordedRun, tasks: Iterator[Task]) -> Iterator[str]:
    meta = run.columns().meta
    head = json.dumps({"format": JSON_FORMAT, "workflow": meta["workflow"], "run": meta["run"]})
    yield f'{head[:-1]}, "tasks": ['
    before = None
    for task in tasks:
        if before is not None:
            yield before + ","
        before = json.dumps(task.as_json())
    if before is not None:
        yield before
    yield "]}"


def _what_if(
    run: RecordedRun, workers: list[int] | None, without: list[str], faster: dict[str, float]
) -> list[tuple[int, float]]:
    """For each number of workers what the run would have taken."""
    measured = run.columns().meta["workers"]
    counts = workers or sorted({1, 2, 4, 8, measured})
    return [(count, run.what_if(count, without=without, faster=faster)) for count in counts]


def what_if_json(run: RecordedRun, workers: list[int] | None, without: list[str], faster: dict[str, float]) -> str:
    """What a run would have taken, as one JSON object."""
    meta = run.columns().meta
    answers = _what_if(run, workers, without, faster)
    value = {
        "format": JSON_FORMAT,
        "workflow": meta["workflow"],
        "run": meta["run"],
        "measured": run.figures.wall,
        "workers": meta["workers"],
        "critical_path": run.path.length,
        "answers": [{"workers": count, "seconds": seconds} for count, seconds in answers],
    }
    return json.dumps(value)


def what_if_lines(run: RecordedRun, workers: list[int] | None, without: list[str], faster: dict[str, float]) -> str:
    """What a run would have taken, a line for each number of workers, and what more of them would do."""
    measured, wall = run.columns().meta["workers"], run.figures.wall
    answers = _what_if(run, workers, without, faster)
    lines = [f"measured with {measured} workers: {seconds_words(wall)}"]
    for count, seconds in answers:
        lines.append(f"{count:>4} worker{'s' if count > 1 else ' '}  {seconds_words(seconds)}")
    if not any(each.worker >= 0 for each in run.figures.by_worker) and run.columns().meta["executor"] != "thread":
        lines.append("Its bodies ran in the calling thread, so the number of workers changes nothing.")
    elif not without and not faster:
        length = run.path.length
        longest = max(run.critical_path(), key=lambda step: step[2], default=None)
        if longest is not None and min(seconds for _, seconds in answers) < length * 1.1:
            lines.append(
                f"The critical path takes {seconds_words(length)}, so more workers won't help; "
                f"a shorter {longest[0]} ({seconds_words(longest[2])}) does."
            )
    return "\n".join(lines)


def live_lines(run: RecordedRun) -> str:
    """A run that is going on: how far it is, what it takes by function, what failed last."""
    value = _live(run)
    words = [f"{value['done']}/{value['known']} tasks", seconds_words(value["seconds"])]
    words += [f"{value[key]} {key}" for key in ("failed", "retried") if value[key]]
    if value["busy"] is not None:
        words.append(f"{percent_words(value['busy'])} busy")
    lines = [f"{value['workflow']}, run {value['run']}, {value['outcome']}: {', '.join(words)}"]
    for each in run.figures.functions[:_FUNCTIONS]:
        times = f"{seconds_words(each.mean)} each, the longest {seconds_words(each.longest)}"
        lines.append(f"  {shortened(each.function, _NAME)}  {number_words(each.attempts)} done, {times}")
    if value["last_error"]:
        lines.append(f"  last failure: {shortened(value['last_error'], _ERROR)}")
    return "\n".join(lines)


def live_json(run: RecordedRun) -> str:
    """The same as one JSON object."""
    return json.dumps({"format": JSON_FORMAT, **_live(run)})


def _live(run: RecordedRun) -> dict[str, Any]:
    columns, figures = run.columns(), run.figures
    meta = columns.meta
    last = max(columns.errors, default=None)
    seconds = figures.wall if meta["ended"] is not None else max(figures.wall, time.time() - meta["started"])
    return {
        "run": meta["run"],
        "workflow": meta["workflow"],
        "pid": meta["pid"],
        "outcome": meta["outcome"],
        "seconds": seconds,
        "done": figures.tasks,
        "known": max(figures.known, figures.tasks),
        "failed": figures.counts[FAILED],
        "retried": figures.retries,
        "busy": figures.busy,
        "last_error": None if last is None else ": ".join(columns.errors[last][:2]),
    }


def report_file(run: RecordedRun, path: str | PathLike[str], *, max_mb: float = 32) -> str:
    """Write the report, and say where it is."""
    run.report(path, max_mb=max_mb)
    return f"report: {fspath(path)}"


def trace_file(run: RecordedRun, path: str | PathLike[str]) -> str:
    """Write the trace, and say where it is and what opens it."""
    run.trace(path)
    return f"trace: {fspath(path)} (open it at ui.perfetto.dev)"
