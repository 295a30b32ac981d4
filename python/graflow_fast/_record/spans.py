"""The spans of a run for OpenTelemetry: one for the run, one below it for each attempt, with the times of the record.

Owns their names, attributes and how many there are; where they go is the user's SDK's. Names are those of functions,
of which there are few; the task's own name is an attribute.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from graflow_fast._extras import import_extra
from graflow_fast._record.columns import GROUP, MAP, STATUSES, Columns, known_end
from graflow_fast._record.tasks import Task, tasks_of
from graflow_fast._span_ids import attempt_id

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
        #: What the record says of the span that the run was in.
        self.around: dict[str, str] = columns.meta.get("span") or {}
        self.ids = _Ids.of(tracer) if self.around else None
        self.attempts = _attempts_of(columns) if self.ids is not None else {}
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
        try:
            return self._write()
        finally:
            if self.ids is not None:
                self.ids.leave()

    def _write(self) -> int:
        meta = self.columns.meta
        told, left_out = self._told()
        span = self.tracer.start_span(
            f"run {meta['workflow']}",
            context=_extracted(self.around) if self.around else _parent(self.trace),
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
        if self.ids is not None and task.row in self.attempts:
            self.ids.next = attempt_id(self.around["attempts"], *self.attempts[task.row])
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


class _Ids:
    """In the place of what makes ids for a tracer: an id that is asked for by bodies' spans comes first."""

    def __init__(self, tracer: Any) -> None:
        self._tracer, self._usual = tracer, tracer.id_generator
        self.next: int | None = None
        tracer.id_generator = self

    @classmethod
    def of(cls, tracer: Any) -> _Ids | None:
        """Begin; None for a tracer of another library than the usual one, which has a way of its own."""
        return cls(tracer) if hasattr(tracer, "id_generator") else None

    def leave(self) -> None:
        """Let the tracer have what it had."""
        self._tracer.id_generator = self._usual

    def generate_span_id(self) -> Any:
        given, self.next = self.next, None
        return self._usual.generate_span_id() if given is None else given

    def __getattr__(self, name: str) -> Any:
        return getattr(self._usual, name)


def _attempts_of(columns: Columns) -> dict[int, tuple[str, int, int]]:
    """Return what bodies know their attempt by (name, how-manieth start of the task, attempt), by row.

    Where several have the same, it is that of the first: tasks of one name in several branches, a map in a loop.
    """
    found: dict[int, tuple[str, int, int]] = {}
    starts: defaultdict[tuple[int, int], int] = defaultdict(int)
    known: set[tuple[str, int, int]] = set()
    for row, node in enumerate(columns.node):
        kind, start, attempt = columns.kinds[node], columns.start[row], columns.attempt[row]
        if kind == GROUP or start != start or (kind == MAP and columns.ready[row] == start):  # which is a chunk of it
            continue
        name, place = columns.names[node], (node, columns.branch[row])
        if attempt == 1:
            starts[place] += 1
        this = (name, 0, 1) if kind == MAP else (name, starts[place], attempt)
        if this not in known:
            known.add(this)
            found[row] = this
    return found


def _parent(trace: Any) -> Any:
    """Return the context of the span that this thread is in, else what ``TRACEPARENT`` says, else None.

    The variables are those of https://opentelemetry.io/docs/specs/otel/context/env-carriers/.
    """
    if trace.get_current_span().get_span_context().is_valid or "TRACEPARENT" not in os.environ:
        return None
    return _extracted({name.lower(): os.environ[name] for name in ("TRACEPARENT", "TRACESTATE") if name in os.environ})


def _extracted(carrier: dict[str, str]) -> Any:
    propagation = import_extra("opentelemetry.trace.propagation.tracecontext", "otel", _PURPOSE)
    return propagation.TraceContextTextMapPropagator().extract(carrier)


def _known(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
