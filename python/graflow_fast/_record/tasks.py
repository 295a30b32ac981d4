"""The rows of a run one by one, with names and words instead of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from graflow_fast._record.columns import NOBODY, STATUSES, Columns
from graflow_fast._record.figures import function_names


class Task(NamedTuple):
    """One attempt of a task or a group, or one that was skipped. Times are seconds since the start of the run.

    Attributes:
        row: Its place in the order of ends, from 0 on.
        task: The task's name.
        function: What its function is called; for a group its name.
        status: "completed", "failed" (for good), "retried" (failed, and tried again), "abandoned", "skipped" or
            "running" (when the record ended).
        attempt: 1 for the first.
        branch: 0 for the workflow's own.
        worker: The worker's number, -1 for the calling thread, None where no body ran.
        released_by: The task whose end made this one ready, or None.
        ready: When it could have started, or None.
        start: When its body started, or None.
        end: When its body ended, or None.
        error: Type and message of what it raised, or None.
        traceback: Text of the traceback, or None.
    """

    row: int
    task: str
    function: str
    status: str
    attempt: int
    branch: int
    worker: int | None
    released_by: str | None
    ready: float | None
    start: float | None
    end: float | None
    error: str | None
    traceback: str | None

    @property
    def ran(self) -> float | None:
        """Seconds in the body, or None."""
        return None if self.start is None or self.end is None else self.end - self.start

    @property
    def waited(self) -> float | None:
        """Seconds between ready and start, or None."""
        return None if self.start is None or self.ready is None else max(0.0, self.start - self.ready)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values, with `ran` and `waited` (docs/record.md says what each means)."""
        return {**self._asdict(), "ran": self.ran, "waited": self.waited}


def tasks_of(columns: Columns) -> Iterator[Task]:
    """Each row of a run, in the order of their end."""
    names, functions, errors = columns.names, function_names(columns), columns.errors
    rows = zip(
        columns.node,
        columns.outcome,
        columns.attempt,
        columns.branch,
        columns.worker,
        columns.released_by,
        columns.ready,
        columns.start,
        columns.end,
        strict=True,
    )
    for row, (node, outcome, attempt, branch, worker, released_by, ready, start, end) in enumerate(rows):
        kind, message, traceback = errors.get(row, (None, None, None)) if errors else (None, None, None)
        yield Task(
            row,
            names[node],
            functions[node],
            STATUSES[outcome],
            attempt,
            branch,
            None if worker == NOBODY else worker,
            names[released_by] if released_by >= 0 else None,
            ready if ready == ready else None,
            start if start == start else None,
            end if end == end else None,
            None if kind is None else f"{kind}: {message}" if message else kind,
            traceback,
        )
