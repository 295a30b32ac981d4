"""Keeping what bodies print, log and warn in a worker, as pieces that travel with their report."""

from __future__ import annotations

import sys
import warnings

from graflow_fast._run.crossing import LOG, STDERR, STDOUT, WARNING
from graflow_fast._worker.imports import import_late, when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import LogRecord
    from typing import Any

    from graflow_fast._core import RunningTask

    #: What a task said at once: (kind, content).
    Piece = tuple[int, Any]

#: What the running task has said so far.
pieces: list[Piece] = []

_MARK: Piece = (STDOUT, "")

_JOURNAL = "graflow_fast._worker.journal"

#: The running task, by whose ticket the journal tells its pieces from others.
_running: RunningTask


def _keep(kind: int, content: Any) -> None:
    pieces.append((kind, content))
    import_late(_JOURNAL).write(_running.ticket, kind, content)


def use_journal(fd: int) -> None:
    """Keep in this file, too, what bodies say: it is there when this process is not any more."""
    when_imported(_JOURNAL, lambda journal: journal.use(fd))


def install(running: RunningTask) -> None:
    """Put keepers in the place of this process's standard streams, root logger and warning display."""
    global _running
    _running = running
    sys.stdout = _Keeper(STDOUT)
    sys.stderr = _Keeper(STDERR)
    when_imported("logging", _keep_logs)
    warnings.showwarning = _keep_warning
    warnings.simplefilter("always")


def put_back(taken: list[Piece] | None) -> None:
    """Keep again what was taken for a record that could not be made."""
    if taken:
        pieces[:0] = taken


def take() -> list[Piece] | None:
    """Return what was kept since the last call, None when it is nothing."""
    if not pieces:
        return None
    taken = [piece for piece in pieces if piece is not _MARK]
    pieces.clear()
    return taken or None


def mark() -> None:
    """See to it that the running task's end is looked at as if it had said something."""
    pieces.append(_MARK)


class _Keeper:
    """A text stream that keeps what is written to it."""

    encoding = "utf-8"
    errors = "replace"
    closed = False

    def __init__(self, kind: int) -> None:
        self._kind = kind

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            _keep(self._kind, text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        return None

    def close(self) -> None:
        return None

    def isatty(self) -> bool:
        return False

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1 if self._kind == STDOUT else 2


def _keep_logs(logging: Any) -> None:
    """Put a keeper in the place of the root logger's handlers."""

    class LogKeeper(logging.Handler):  # type: ignore[misc]
        """Keeps log records; the coordinator's own tree decides which of them show."""

        def emit(self, record: LogRecord) -> None:
            content = dict(record.__dict__)
            content["msg"] = record.getMessage()
            content["args"] = None
            if record.exc_info:
                content["exc_text"] = logging.Formatter().formatException(record.exc_info)
            content["exc_info"] = None
            plain = {
                name: value
                for name, value in content.items()
                if value is None or isinstance(value, (str, int, float, bool))
            }
            _keep(LOG, plain)

    root = logging.getLogger()
    root.handlers[:] = [LogKeeper()]
    root.setLevel(logging.NOTSET)
    logging.raiseExceptions = False


def _keep_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    _keep(WARNING, (str(message), category if _is_importable(category) else UserWarning, filename, lineno))


def keep_warning(message: Warning, filename: str, lineno: int) -> None:
    """Keep a warning of this package's own, with its attributes."""
    _keep(WARNING, (message, type(message), filename, lineno))


def _is_importable(kind: type) -> bool:
    """Say whether the coordinator can find a class by its name."""
    if kind.__module__ == "__main__":
        return False
    return getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind
