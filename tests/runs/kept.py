"""What `logging` is told, kept for tests."""

from __future__ import annotations

import logging
from collections.abc import Callable


class Kept(logging.Handler):
    """Keeps records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        #: Called with each record.
        self.hears: Callable[[logging.LogRecord], object] = lambda record: None

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.hears(record)

    def of_bodies(self) -> list[tuple[str, str | None]]:
        """Return what bodies have said, each with its task."""
        return [(r.getMessage(), task_of(r)) for r in self.records if r.name != "graflow_fast"]

    def of_runs(self) -> list[tuple[str, str, str | None]]:
        """Return what runs have said."""
        return [(r.levelname, r.getMessage(), task_of(r)) for r in self.records if r.name == "graflow_fast"]


def task_of(record: logging.LogRecord) -> str | None:
    return getattr(record, "graflow_task", None)
