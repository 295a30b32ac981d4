"""Keeping what bodies print, log and warn in a worker, as pieces that travel with their report.

What subprocesses and C code write goes through descriptors 1 and 2 to files, which the coordinator reads. Here is noted
how far these were written between two pieces, so that all comes in the order in which it was said.
"""

from __future__ import annotations

import os
import sys
import warnings

from graflow_fast._body.log_records import said
from graflow_fast._wire.crossing import LOG, STDERR, STDOUT, WARNING, WRITTEN_STDERR, WRITTEN_STDOUT
from graflow_fast._wire.imports import import_late, when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import LogRecord
    from typing import Any

    from graflow_fast._core import Journal, OutputWatch, RunningTask, WorkerLink

    #: What a task said at once: (kind, content).
    Piece = tuple[int, Any]

#: What the running task has said so far.
pieces: list[Piece] = []

#: Stands among the pieces when the running task has changed its surroundings.
MARK: Piece = (STDOUT, "")

#: The running task, by whose ticket the journal tells its pieces from others.
_running: RunningTask
#: Where pieces are kept as well: they are there when this process is not any more.
_journal: Journal | None = None

#: What is behind descriptors 1 and 2: pipes, files, and an event that says that another process has moved.
_given: tuple[list[int], list[int], int] = ([], [], -1)
#: How far they have been written; None where nobody asks for it.
watched: OutputWatch | None = None
#: The kind of a text that has not ended its line: what ends it belongs to the same `print`. -1 if there is none.
_open_line = -1


def _keep(kind: int, content: Any) -> None:
    global _open_line
    if content != "\n" or kind != _open_line:
        _note_written()
    _open_line = kind if kind <= STDERR and content[-1] != "\n" else -1
    _add(kind, content)


def keep(kind: int, content: Any) -> None:
    """Keep a piece of the running task's."""
    _keep(kind, content)


def _add(kind: int, content: Any) -> None:
    pieces.append((kind, content))
    if _journal is not None:
        _journal.write(_running.ticket, kind, content if kind <= STDERR else _pickled(content))


def _pickled(content: Any) -> bytes:
    from pickle import dumps  # slow to import, and most bodies only print

    return dumps(content)


def _note_written() -> None:
    """Add a place for what others have written since the last look, if anything has been."""
    # One look costs a fraction of what keeping a piece does.
    positions = None if watched is None else watched.note()
    if positions is not None:
        _add(WRITTEN_STDOUT, positions[0])
        _add(WRITTEN_STDERR, positions[1])


def use_pipes(pipes: list[int], files: list[int], news: int) -> None:
    """Take what is behind descriptors 1 and 2."""
    global _given
    _given = pipes, files, news


def watch(link: WorkerLink) -> None:
    """From now on reports say what was written to descriptors 1 and 2."""
    global watched
    watched = link.watch_output(*_given)


def use_journal(fd: int) -> None:
    """Keep in this file, too, what bodies say."""
    global _journal
    from graflow_fast._core import Journal

    _journal = Journal(fd)


def install(running: RunningTask) -> None:
    """Put keepers in the place of this process's standard streams, root logger and warning display."""
    global _running
    _running = running
    sys.stdout = _Keeper(STDOUT)
    sys.stderr = _Keeper(STDERR)
    when_imported("logging", lambda logging: import_late("graflow_fast._worker.program.logs").install(logging))
    warnings.showwarning = _keep_warning
    os.register_at_fork(after_in_child=_write_through)
    warnings.simplefilter("always")


def _write_through() -> None:
    """In a process that a body has forked: write what is said where its subprocesses do, for nobody takes it here."""
    global _keep
    pieces.clear()
    _keep = _write_now


def _write_now(kind: int, content: Any) -> None:
    if kind == LOG:
        text = f"{content['levelname']}:{content['name']}:{content['msg']}\n"
        if content.get("exc_text"):
            text += content["exc_text"] + "\n"
    elif kind == WARNING:
        text = warnings.formatwarning(*content[:4])
    else:
        text = content
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(1 if kind == STDOUT else 2, data) :]


def take() -> list[Piece] | None:
    """Return what was kept since the last call, None when it is nothing."""
    if not pieces:
        return None
    taken = [piece for piece in pieces if piece is not MARK]
    pieces.clear()
    return taken or None


def mark() -> None:
    """See to it that the running task's end is looked at as if it had said something."""
    pieces.append(MARK)


def doubt() -> None:
    """Have descriptors 1 and 2 put back after the running task, if it has closed or replaced them."""
    if watched is not None:
        watched.doubt()


def adopt() -> None:
    """Take what is behind descriptors 1 and 2 now for that of every task from now on: an initializer put it there."""
    if watched is not None:
        watched.adopt()


class _Keeper:
    """A text stream that keeps what is written to it."""

    encoding = "utf-8"
    errors = "replace"
    closed = False
    mode = "w"
    newlines = None
    line_buffering = True
    write_through = False

    def __init__(self, kind: int) -> None:
        self._kind = kind
        self.name = "<stdout>" if kind == STDOUT else "<stderr>"

    @property
    def buffer(self) -> _Bytes:
        return _Bytes(self)

    def reconfigure(self, **options: Any) -> None:
        return None  # what is kept is text, and is shown by the caller's stream as that likes

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
        global _open_line
        if _open_line >= 0 and _keep is not _write_now:
            _add(_open_line, "")  # so that the beginning of a line is shown, where output is shown at once
        _open_line = -1  # whoever flushes in the middle of a line lets somebody else go on

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


class _Bytes:
    """The stream below a keeper: what is written to it is kept as text, in its place."""

    closed = False

    def __init__(self, keeper: _Keeper) -> None:
        self.raw = self
        self._keeper = keeper

    def write(self, data: bytes) -> int:
        self._keeper.write(bytes(data).decode(self._keeper.encoding, self._keeper.errors))
        return len(data)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keeper, name)


_FUNCTION: Any = type(lambda: None)


def _travelling(value: Any) -> Any:
    """Return a copy of what a log record has beyond plain values; of what can't be copied, its text."""
    import pickle

    try:
        return pickle.loads(pickle.dumps(value))
    except Exception:
        if type(value) is dict:
            return {name: _travelling(each) for name, each in value.items()}
        from graflow_fast.core._texts import text_of

        return text_of(value)


_keepers: dict[int, Any] = {}
#: The record that was kept last: there may be several keepers on its way to the root.
_last_record: Any = None


def log_keeper(logging: Any, level: int) -> Any:
    """Return what stands for handlers of the program: it keeps records, and they are shown there."""
    keeper = _keepers.get(level)
    if keeper is None:
        keeper = _keepers[level] = _log_keeper(logging)
        keeper.level = level
    return keeper


def _log_keeper(logging: Any) -> Any:
    class LogKeeper(logging.Handler):  # type: ignore[misc]
        """Keeps log records for the handlers that the program has."""

        def emit(self, record: LogRecord) -> None:
            global _last_record
            if record is _last_record:
                return
            _last_record = record
            content = dict(record.__dict__)
            try:
                content["msg"] = said(record)
            except Exception:  # its arguments can't be shown: said as any handler says it, and the body goes on
                logging.raiseExceptions = True
                self.handleError(record)
                logging.raiseExceptions = False
                return
            content["args"] = None
            if record.exc_info:
                content["exc_text"] = logging.Formatter().formatException(record.exc_info)
            content["exc_info"] = None
            plain = {
                name: value if value is None or type(value) in (str, int, float, bool) else _travelling(value)
                for name, value in content.items()
            }
            _keep(LOG, plain)

    return LogKeeper()


def _keep_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    said: Any = str(message)
    kind = category
    if not _is_importable(category) or type(category.__init__) is _FUNCTION or getattr(message, "__dict__", None):
        said, kind = _described(message, said), UserWarning
    _keep(WARNING, (said, kind, filename, lineno, _module_of(filename)))


def _described(message: Any, text: str) -> tuple[Any, ...]:
    """Return a warning that its text and its class don't make: (module, name of the class, args, attributes, text)."""
    import pickle

    kind = type(message)
    content: tuple[Any, ...] = message.args, vars(message)
    try:
        pickle.dumps(content)
    except Exception:  # what it says must do
        content = (text,), {}
    return kind.__module__, kind.__qualname__, *content, text


def keep_warning(message: Warning, filename: str, lineno: int) -> None:
    """Keep a warning of this package's own, with its attributes."""
    _keep(WARNING, (message, type(message), filename, lineno, None))


def _module_of(filename: str) -> str | None:
    """Return the name of the module that is warned of: that of a caller in this file."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename == filename:
            found: str | None = frame.f_globals.get("__name__")
            return found
        frame = frame.f_back
    return None


def _is_importable(kind: type) -> bool:
    """Say whether the coordinator can find a class by its name."""
    if kind.__module__ == "__main__":
        return False
    return getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind
