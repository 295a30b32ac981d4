"""What a cached body is told where it runs in the program's process: in the calling thread, or in another.

Owns listening to what a thread prints, logs and warns while it goes where it would go anyway.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graflow_fast._body import captured, log_records, origins
from graflow_fast._body.captured import CapturedThreads, Pieces, capture
from graflow_fast._body.output import show
from graflow_fast._cache.said import as_crossing
from graflow_fast._wire.crossing import LOG, STDERR, STDOUT, WARNING
from graflow_fast.core.running import running

__all__ = ["Here"]


class Here:
    """The program's process."""

    def context(self) -> Any:
        """Return the context of the task that is running in this thread."""
        return running.task_context

    @contextmanager
    def listening(self) -> Iterator[list[tuple[int, Any]]]:
        """Keep what this thread says; it is said nevertheless."""
        said: list[tuple[int, Any]] = []
        with CapturedThreads():
            passing = _Passing(captured.captured_pieces(), said)
            with capture(passing):
                yield said

    def say(self, pieces: list[tuple[int, Any]]) -> None:
        """Say what a body has said at another time."""
        for kind, content in pieces:
            if kind == STDOUT and sys.stdout is not None:
                sys.stdout.write(content)
            elif kind == STDERR and sys.stderr is not None:
                sys.stderr.write(content)
            elif kind == LOG:
                import logging

                record = logging.makeLogRecord({**content, log_records.ATTRIBUTE: log_records.running_task()})
                logger = logging.getLogger(record.name)
                if logger.isEnabledFor(record.levelno):
                    logger.handle(record)
            elif kind == WARNING:
                show((kind, content))

    def note(self, context: Any, kind: int, *details: Any) -> None:
        """Note where the result of a task comes from."""
        origins.note(context.trace_id, context.task_id, kind, *details)

    def warn(self, warning: Warning, function: Any) -> None:
        """Show a warning as one of a function's first line."""
        code = getattr(function, "__code__", None)
        place = ("<unknown>", 1) if code is None else (code.co_filename, code.co_firstlineno)
        warnings.warn_explicit(warning, type(warning), *place)


class _Passing(Pieces):
    """Passes on what is said, and keeps it as well, in the form that can be kept for another process."""

    def __init__(self, outer: Pieces | None, said: list[tuple[int, Any]]) -> None:
        super().__init__()
        self._outer = outer
        self._said = said
        self.passes = outer is None or outer.passes

    def append(self, piece: tuple[int, Any]) -> None:
        """Pass on a piece."""
        if self._children is not None:
            self.extend(self._children.take())
        self._pass(piece)

    def extend(self, pieces: Any) -> None:
        """Pass on pieces."""
        for piece in pieces:
            self._pass(piece)

    def _pass(self, piece: tuple[int, Any]) -> None:
        self._said.append(as_crossing(piece))
        captured.pass_on(piece, self._outer)
