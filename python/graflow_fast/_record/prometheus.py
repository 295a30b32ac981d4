"""A run as metrics in the text format of Prometheus, for the textfile collector of its node exporter.

Owns the names and labels. Series are by function and outcome, never by task: there may be millions of those, and each
series costs the server memory. The format: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from graflow_fast._record.columns import STATUSES

if TYPE_CHECKING:
    from graflow_fast._record.run import RecordedRun

__all__ = ["metric_lines"]

#: A server keeps a series for each function of each of these; of more functions those that took most are told.
_MOST_FUNCTIONS = 200
_Samples = Iterable[tuple[dict[str, object], float]]


def metric_lines(run: RecordedRun) -> Iterator[str]:
    """The lines of a file of metrics."""
    meta, figures = run.columns().meta, run.figures
    workflow = {"workflow": meta["workflow"]}
    functions = [({**workflow, "function": each.function}, each) for each in figures.functions[:_MOST_FUNCTIONS]]
    outcome = {**workflow, "run": meta["run"], "outcome": meta["outcome"]}
    yield from _metric("run_info", "Which run this is, and how it stands.", [(outcome, 1)])
    yield from _metric("run_start_timestamp_seconds", "When it began.", [(workflow, meta["started"])])
    yield from _metric("run_duration_seconds", "How long it has taken.", [(workflow, figures.wall)])
    yield from _metric("run_critical_path_seconds", "The least it takes.", [(workflow, run.path.length)])
    yield from _metric("run_workers", "How many workers it has.", [(workflow, figures.workers)])
    if figures.busy is not None:
        yield from _metric("run_busy_ratio", "The workers' share of the time in bodies.", [(workflow, figures.busy)])
    counts = zip(STATUSES, figures.counts, strict=False)
    by_status = [({**workflow, "status": status}, float(count)) for status, count in counts]
    yield from _metric("task_attempts", "Attempts, by what became of them.", by_status)
    yield from _metric("function_attempts", "Attempts that ran.", [(labels, f.attempts) for labels, f in functions])
    yield from _metric("function_failures", "Failed for good.", [(labels, f.failures) for labels, f in functions])
    yield from _metric("function_seconds", "Time in bodies.", [(labels, f.total) for labels, f in functions])


def _metric(name: str, what: str, samples: _Samples) -> Iterator[str]:
    yield f"# HELP graflow_{name} {what}"
    yield f"# TYPE graflow_{name} gauge"
    for labels, value in samples:
        words = ",".join(f'{key}="{_escaped(str(label))}"' for key, label in labels.items())
        yield f"graflow_{name}{{{words}}} {float(value)!r}"


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return text.encode("utf-8", "replace").decode()
