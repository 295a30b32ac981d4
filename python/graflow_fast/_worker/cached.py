"""What a cached body is told where it runs in a worker.

Owns listening to what it says among all that is kept here for the report. Must not know entries.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from graflow_fast._body import log_records
from graflow_fast._cache import writing
from graflow_fast._wire.crossing import (
    CACHED,
    STDERR,
    STDOUT,
    WARNING,
    WRITTEN_STDERR,
    WRITTEN_STDOUT,
)
from graflow_fast._worker import output
from graflow_fast.core.running import running

__all__ = ["InWorker"]


class InWorker:
    """A worker.

    Args:
        classes: those that have come from the program, as they come.
    """

    def __init__(self, classes: Iterable[type]) -> None:
        writing.classes_here = classes

    def context(self) -> Any:
        """Return the context of the task that is running."""
        return running.task_context

    @contextmanager
    def listening(self) -> Iterator[list[tuple[int, Any]]]:
        """Keep what the body says; it is reported nevertheless."""
        said: list[tuple[int, Any]] = []
        count, places = len(output.pieces), list(_positions())
        yield said
        out, error = _positions()
        kept = [*output.pieces[count:], (WRITTEN_STDOUT, out), (WRITTEN_STDERR, error)]
        for kind, content in kept:
            if kind in (WRITTEN_STDOUT, WRITTEN_STDERR):
                said.extend(_written(kind, content, places))
            elif kind != CACHED and content != "":
                said.append((kind, content))

    def say(self, pieces: list[tuple[int, Any]]) -> None:
        """Say what a body has said at another time."""
        for kind, content in pieces:
            if kind == STDOUT:
                sys.stdout.write(content)
            elif kind == STDERR:
                sys.stderr.write(content)
            elif kind == WARNING or logging.getLogger(content["name"]).isEnabledFor(content["levelno"]):
                output.keep(kind, content if kind == WARNING else self._said_now(content))

    def _said_now(self, content: dict[str, Any]) -> dict[str, Any]:
        return {**content, log_records.ATTRIBUTE: log_records.running_task()}

    def note(self, context: Any, kind: int, *details: Any) -> None:
        """Note where the result of a task comes from."""
        output.keep(CACHED, (context.trace_id, context.task_id, kind, *details))

    def warn(self, warning: Warning, function: Any) -> None:
        """Show a warning as one of a function's first line."""
        code = getattr(function, "__code__", None)
        output.keep_warning(warning, *(("<unknown>", 1) if code is None else (code.co_filename, code.co_firstlineno)))


def _positions() -> tuple[int, int]:
    return (0, 0) if output.watched is None else output.watched.positions()


def _written(kind: int, until: int, places: list[int]) -> list[tuple[int, Any]]:
    """Return what subprocesses and C code have written to a descriptor since the last look."""
    index = kind - WRITTEN_STDOUT
    start, places[index] = places[index], max(until, places[index])
    if until <= start or output.watched is None:
        return []
    text = output.watched.read(index, start, until).decode("utf-8", "replace")
    return [(STDOUT if index == 0 else STDERR, text)]
