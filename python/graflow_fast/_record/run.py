"""The run as users hold it: `RecordedRun`, with all that its record tells. Each answer is computed elsewhere.

Imports what it needs when it is asked, since a program that only runs workflows pays for this module, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from graflow_fast._record.columns import Columns
    from graflow_fast._record.figures import Figures
    from graflow_fast._record.paths import Path
    from graflow_fast._record.tasks import Task


class RecordedRun:
    """One run of a workflow, read from its record: what ran when, for how long, where, and what came of it.

    In a notebook it shows itself.
    """

    def __init__(self, columns: Columns) -> None:
        """Hold a run.

        Args:
            columns: Its rows.

        Raises:
            BrokenRecordError: They contradict each other.
        """
        columns.check()
        self._columns = columns

    def __repr__(self) -> str:
        meta = self._columns.meta
        return f"<RecordedRun {meta['workflow']!r} {meta['outcome']}, {len(self._columns.node)} rows>"

    @cached_property
    def figures(self) -> Figures:
        """Counts and sums: by outcome, by function, by worker."""
        from graflow_fast._record.figures import figures_of

        return figures_of(self._columns)

    @cached_property
    def path(self) -> Path:
        """The critical path, with the numbers of its rows."""
        from graflow_fast._record.paths import critical_path

        return critical_path(self._columns)

    def columns(self) -> Columns:
        """All rows as columns, and what is known of the run and its graph: this object's own, not to be changed."""
        return self._columns

    def tasks(self) -> Iterator[Task]:
        """All rows, in the order of their end."""
        from graflow_fast._record.tasks import tasks_of

        return tasks_of(self._columns)

    def summary(self, *, glyphs: bool = True) -> str:
        """The run in a few lines: how it ended, how busy the workers were, what failed, what held it up.

        Args:
            glyphs: Mark the ending with ``✓`` or ``✗``; else with ``ok`` or ``FAIL``.
        """
        from graflow_fast._record.summary import summary_of

        return summary_of(self._columns, self.figures, self.path, glyphs=glyphs)

    def verdict(self) -> list[str]:
        """What was good and bad about the run, in sentences."""
        from graflow_fast._record.verdict import verdict_of

        return verdict_of(self._columns, self.figures, self.path)

    def critical_path(self) -> list[tuple[str, float, float]]:
        """The chain of tasks, each released by the one before, that takes longest.

        Returns:
            For each of its steps the task's name, how many seconds it waited after the step before (for a worker, or
            before a retry), and how many it ran.
        """
        columns = self._columns
        return [(columns.names[columns.node[step.row]], step.waited, step.ran) for step in self.path.steps]

    def explain(self, task: str) -> str:
        """Say why a task ran, waited, failed, was skipped or never came to its turn, and when.

        Args:
            task: Its name. A task that ran several times is told by its last attempt.

        Raises:
            ConfigError: The run has no task of that name.
        """
        from graflow_fast._record.explaining import explained

        return explained(self._columns, task)

    def what_if(
        self,
        workers: int | None = None,
        *,
        without: Iterable[str] = (),
        faster: Mapping[str, float] | None = None,
    ) -> float:
        """How many seconds the run would have taken under other circumstances.

        The scheduler that ran it decides again what runs when, in virtual time, and each attempt takes what it took:
        its body, and what lay before and behind it. Nothing runs.

        Args:
            workers: With so many workers; None (default): as many as there were. Bodies that ran in the calling thread
                stay there, so for a run with ``executor="inline"`` it changes nothing.
            without: Tasks or functions, by name, that take no time at all.
            faster: Tasks or functions, by name, and how many times as fast their bodies are: 2 halves what they take.

        Raises:
            ConfigError: The run has no task or function of that name, or a number makes no sense.
        """
        from graflow_fast._record.what_if import what_if

        return what_if(self._columns, workers, without, faster)

    def trace(self, path: str | PathLike[str]) -> None:
        """Write the run for ui.perfetto.dev or chrome://tracing: a track for each worker.

        Args:
            path: The file; a name that ends in ``.gz`` is compressed.

        Raises:
            OSError: It can't be written.
        """
        from graflow_fast._record.slices import write_trace

        write_trace(self._columns, self.path, path)

    def report(self, path: str | PathLike[str], *, max_mb: float = 32) -> None:
        """Write the run as one HTML page that needs no network: verdict, timeline, path, graph, functions, all tasks.

        Args:
            path: The file.
            max_mb: Its greatest size, in 10^6 bytes. Of a run for which that is too little, plain successes are left
                out and the page says so; what failed, was tried again, on the critical path or slow is kept.

        Raises:
            ConfigError: ``max_mb`` is too little for any report.
            OSError: The file can't be written.
        """
        from graflow_fast._record.report import write_report

        write_report(self, path, max_mb=max_mb)

    def export_spans(self, provider: TracerProvider | None = None, *, most: int = 10_000) -> int:
        """Tell OpenTelemetry of the run: a span for it and one below for each attempt, with the times of the record.

        The run's span lies below the one that was around `execute`, else the one that this thread is in, else what
        ``TRACEPARENT`` names. A group of more than 1000 members is one span, which counts them.

        Args:
            provider: Whose exporters get them; None (default): those of OpenTelemetry's global one.
            most: So many attempts are told at most, those first that failed; how many are left out is the attribute
                ``graflow.spans_left_out``.

        Returns:
            How many spans there are.

        Raises:
            ImportError: OpenTelemetry is not here: ``pip install 'graflow-fast[otel]'``.
        """
        from graflow_fast._record.spans import export_spans

        return export_spans(self._columns, provider, most=most)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: static HTML, and the summary as text."""
        from graflow_fast._record.notebook import html_of

        return {"text/plain": self.summary(), "text/html": html_of(self)}
