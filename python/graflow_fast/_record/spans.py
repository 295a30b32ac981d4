"""The spans of a run for OpenTelemetry: one for the run, one below it for each attempt, with the times of the record.

Owns their names, attributes and how many there are; where they go is the user's SDK's. Names are those of functions,
of which there are few; the task's own name is an attribute.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from graflow_fast._extras import import_extra
from graflow_fast._record.columns import GROUP, STATUSES, Columns, known_end
from graflow_fast._record.tasks import Task, tasks_of

__all__ = ["LARGE_GROUP", "MOST_SPANS", "export_spans"]

#: A group of more members is one span, which counts them.
LARGE_GROUP = 1_000
#: So many attempts of a run are told; the rest is counted in an attribute of its span.
MOST_SPANS = 10_000
_PURPOSE = "Exporting a run to OpenTelemetry"


def export_spans(columns: Columns, provider: Any = None, *, most: int = MOST_SPANS) -> int:
    """Start and end a run's spans; see `RecordedRun.export_spans`."""
    trace = import_extra("opentelemetry.trace", "otel", _PURPOSE)
    return _Export(
        columns, trace, trace.get_tracer("graflow_fast", columns.meta.get("version"), provider), most
    ).write()


class _Export:
    def __init__(self, columns: Columns, trace: Any, tracer: Any, most: int) -> None:
        self.columns = columns
        self.trace = trace
        self.tracer = tracer
        self.most = most
        self.zero = int(columns.meta["started"] * 1e9)
        #: The group of each node that is a member of a large one.
        self.large = {
            member: group
            for group, members in columns.members.items()
            if len(members) > LARGE_GROUP
            for member in members
        }
        #: What became of the members of large groups, by group.
        self.counts: dict[int, Counter[str]] = {}

    def write(self) -> int:
        """Tell all; return how many spans there are."""
        meta = self.columns.meta
        told, left_out = self._told()
        span = self.tracer.start_span(
            f"run {meta['workflow']}",
            context=_parent(self.trace),
            kind=self.trace.SpanKind.INTERNAL,
            start_time=self.zero,
            attributes=_known(
                {
                    "graflow.workflow": meta["workflow"],
                    "graflow.run": meta["run"],
                    "graflow.outcome": meta["outcome"],
                    "graflow.executor": meta["executor"],
                    "graflow.workers": meta["workers"],
                    "graflow.spans_left_out": left_out,
                    "process.pid": meta["pid"],
                }
            ),
        )
        below = self.trace.set_span_in_context(span)
        for task in told:
            self._attempt(task, below)
        if meta.get("error"):
            self._fail(span, meta["error"])
        span.end(end_time=self._time(known_end(self.columns)))
        return len(told) + 1

    def _told(self) -> tuple[list[Task], int]:
        """Return the attempts that are told, in the order of their end, and how many are not."""
        rows = list(self._with_times())
        if len(rows) <= self.most:
            return rows, 0
        important = [task for task in rows if task.status != "completed"][: self.most]
        rest = self.most - len(important)
        chosen = {task.row for task in important}
        for task in rows:
            if rest == 0:
                break
            if task.status == "completed":
                chosen.add(task.row)
                rest -= 1
        return [task for task in rows if task.row in chosen], len(rows) - len(chosen)

    def _with_times(self) -> Iterator[Task]:
        for task in tasks_of(self.columns):
            node = self.columns.node[task.row]
            if node in self.large:
                self.counts.setdefault(self.large[node], Counter())[task.status] += 1
            elif task.status != "skipped" and (task.start is not None or task.ready is not None):
                yield task

    def _attempt(self, task: Task, below: Any) -> None:
        node = self.columns.node[task.row]
        start = task.ready if task.start is None else task.start
        assert start is not None
        attributes = {
            "graflow.task.id": task.task,
            "graflow.attempt": task.attempt,
            "graflow.status": task.status,
            "graflow.worker": task.worker,
            "graflow.released_by": task.released_by,
            "graflow.waited": task.waited,
        }
        if self.columns.kinds[node] == GROUP:
            attributes["graflow.group.size"] = len(self.columns.members.get(node, ()))
            counts = self.counts.get(node, Counter())
            for status in STATUSES:
                attributes[f"graflow.group.{status}"] = counts.get(status)
        span = self.tracer.start_span(
            task.function or task.task,
            context=below,
            kind=self.trace.SpanKind.INTERNAL,
            start_time=self._time(start),
            attributes=_known(attributes),
        )
        if task.error is not None:
            self._fail(span, task.error)
        elif task.status in ("failed", "retried"):
            span.set_status(self.trace.Status(self.trace.StatusCode.ERROR))
        span.end(end_time=self._time(known_end(self.columns) if task.end is None else max(task.end, start)))

    def _fail(self, span: Any, error: str) -> None:
        span.set_attribute("error.type", error.partition(":")[0])
        span.set_status(self.trace.Status(self.trace.StatusCode.ERROR, error))

    def _time(self, seconds: float) -> int:
        """Return nanoseconds since 1970."""
        return self.zero + round(seconds * 1e9)


def _parent(trace: Any) -> Any:
    """Return the context of the span that this thread is in, else what ``TRACEPARENT`` says, else None.

    The variables are those of https://opentelemetry.io/docs/specs/otel/context/env-carriers/.
    """
    if trace.get_current_span().get_span_context().is_valid or "TRACEPARENT" not in os.environ:
        return None
    propagation = import_extra("opentelemetry.trace.propagation.tracecontext", "otel", _PURPOSE)
    carrier = {name.lower(): os.environ[name] for name in ("TRACEPARENT", "TRACESTATE") if name in os.environ}
    return propagation.TraceContextTextMapPropagator().extract(carrier)


def _known(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
