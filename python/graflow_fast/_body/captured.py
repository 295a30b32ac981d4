"""What threads of this process print, log and warn, kept as pieces, or shown at once when it is their turn.

Owns what stands in for the streams, the calling of log handlers and the showing of warnings meanwhile; when pieces are
shown is `output`'s.
"""

from __future__ import annotations

import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from graflow_fast._body import log_records
from graflow_fast._body.children import ChildOutput, redirect
from graflow_fast._body.output import RECORD, STDERR, STDOUT, WARNED, Piece, show

if TYPE_CHECKING:
    import logging


class GivenUp(BaseException):
    """Raised in a body whose outcome no longer matters, to end it."""


class Pieces(list[Piece]):
    """What a body of this process has printed so far."""

    #: Whether what comes is shown at once, so that it is worth a flush.
    passes = False
    _refused = False
    _children: ChildOutput | None = None

    def refuse(self) -> None:
        """Raise `GivenUp` in whoever adds or takes pieces from now on."""
        self._refused = True

    def check(self) -> None:
        """Raise `GivenUp` when these are refused."""
        if self._refused:
            raise GivenUp

    def append(self, piece: Piece) -> None:
        """Keep a piece."""
        self.check()
        if self._children is not None:
            self.extend(self._children.take())
        super().append(piece)

    def children(self) -> ChildOutput | None:
        """Return where subprocesses of the body write, None: wherever this process does."""
        if self._children is None:
            self._children = ChildOutput()
        return self._children

    def end(self) -> None:
        """Add what subprocesses have written since the last piece."""
        if self._children is not None:
            self.extend(self._children.take())

    def take(self) -> list[Piece]:
        """Return what was kept since the last call."""
        self.check()
        self.end()
        taken = self[:]
        self.clear()
        return taken


class FlowingPieces(Pieces):
    """What a body of this process prints when it is its turn: shown at once, so what C code prints has its order.

    Lines are shown whole, since others may print at the same time: the rest of one waits until it ends or is flushed.
    """

    _kind = STDOUT
    _rest = ""

    def append(self, piece: Piece) -> None:
        """Show a piece."""
        self.check()
        kind, content = piece
        if kind not in (STDOUT, STDERR):
            self.flush()
            if kind == WARNED:
                _usual_showwarning(*content)
            else:
                show(piece)
            return
        if kind != self._kind:
            self.flush()
            self._kind = kind
        lines, end, rest = content.rpartition("\n")
        if end:
            self._show(self._rest + lines + end)
            self._rest = rest
        else:
            self._rest += rest

    def flush(self) -> None:
        """Show the beginning of a line."""
        if self._rest:
            rest, self._rest = self._rest, ""
            self._show(rest)

    def _show(self, text: str) -> None:
        saved = CapturedThreads._saved
        stream = (sys.stdout if self._kind == STDOUT else sys.stderr) if saved is None else saved[self._kind]
        stream.write(text)

    def children(self) -> None:
        """Let subprocesses write to where this process does."""
        self.flush()

    def end(self) -> None:
        """Show what is left."""
        self.flush()


def check_given_up() -> None:
    """End the body of this thread if its outcome no longer matters."""
    if _capture.pieces is not None:
        _capture.pieces.check()


def captured_as_here() -> capture | None:
    """Return what keeps the output of another thread, as long as it is entered there, where that of this one goes.

    None when this one's is not kept.
    """
    pieces = _capture.pieces
    return None if pieces is None else capture(pieces)


def captured_pieces() -> Pieces | None:
    """Return where the output of this thread is kept, None when it is not."""
    return _capture.pieces


def pass_on(piece: Piece, outer: Pieces | None) -> None:
    """Let a piece of this thread go where it would go if only ``outer`` kept what it says; None: it is shown.

    What showing it writes, as a log handler does, goes there as well.
    """
    keeper, _capture.pieces = _capture.pieces, outer
    try:
        kind, content = piece
        if outer is not None:
            outer.append(piece)
        elif kind == WARNED:
            _usual_showwarning(*content)
        else:
            show(piece)
    finally:
        _capture.pieces = keeper


class _Capture(threading.local):
    pieces: Pieces | None = None
    #: What keeps the output of the body that runs in this thread.
    body: capture | None = None


_capture = _Capture()


def start_as(pieces: Pieces, body: capture) -> None:
    """Let what this thread of a body, which begins, prints be kept there, and that of those it starts."""
    _capture.pieces, _capture.body = pieces, body


def _children_of_this_thread() -> ChildOutput | None:
    pieces = _capture.pieces
    return None if pieces is None else pieces.children()


class _CapturingStream:
    """Stands in for ``sys.stdout`` or ``sys.stderr``: keeps what a capturing thread writes, passes on the rest."""

    def __init__(self, original: Any, kind: int) -> None:
        self._original = original
        self._kind = kind

    def write(self, text: str) -> int:
        pieces = _capture.pieces
        if pieces is None:
            return int(self._original.write(text) or 0)
        pieces.append((self._kind, text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        pieces = _capture.pieces
        if type(pieces) is FlowingPieces:
            pieces.flush()
        elif pieces is not None and not pieces.passes:
            return
        self._original.flush()

    @property
    def buffer(self) -> Any:
        return self._original.buffer if _capture.pieces is None else _CapturedBytes(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


class _CapturedBytes:
    """The binary stream below a capturing one: bytes keep their place among the texts."""

    def __init__(self, stream: _CapturingStream) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(bytes(data).decode(encoding, "replace"))
        return len(data)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream._original.buffer, name)


class CapturedThreads:
    """While entered, threads that call `capture` keep their output to themselves."""

    _guard = threading.Lock()
    _users = 0
    _saved: tuple[Any, Any, Any] | None = None
    #: The logging handlers that there were when the capture began; those that a body adds hear of its records at once.
    _handlers: frozenset[int] = frozenset()
    #: Whether subprocesses are told where to write.
    _redirects = False

    def __enter__(self) -> CapturedThreads:
        global _usual_showwarning
        cls = CapturedThreads
        import logging

        with cls._guard:
            if cls._users == 0:
                from graflow_fast._body import own_threads

                own_threads.follow()
                cls._saved = (sys.stdout, sys.stderr, logging.Logger.callHandlers)
                handlers: list[Any] = [reference() for reference in logging._handlerList]  # type: ignore[attr-defined]
                cls._handlers = frozenset(map(id, handlers))
                logging.Logger.callHandlers = _call_handlers  # type: ignore[method-assign, assignment]
                if sys.stdout is not None:  # a program without a terminal has none, and print() is silent
                    sys.stdout = _CapturingStream(sys.stdout, STDOUT)
                if sys.stderr is not None:
                    sys.stderr = _CapturingStream(sys.stderr, STDERR)
            if warnings.showwarning is not _show_warning:
                _usual_showwarning = warnings.showwarning
                warnings.showwarning = _show_warning
            cls._users += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        cls = CapturedThreads
        with cls._guard:
            cls._users -= 1
            if cls._users == 0 and cls._saved is not None:
                from graflow_fast._body import own_threads

                own_threads.follow_no_more()
                if isinstance(sys.stdout, _CapturingStream):
                    sys.stdout = cls._saved[0]
                if isinstance(sys.stderr, _CapturingStream):
                    sys.stderr = cls._saved[1]
                import logging

                if logging.Logger.callHandlers is _call_handlers:
                    logging.Logger.callHandlers = cls._saved[2]  # type: ignore[method-assign]
                if warnings.showwarning is _show_warning:
                    warnings.showwarning = _usual_showwarning
                cls._saved = None


#: What shows a warning where nothing is captured.
_usual_showwarning: Any = warnings.showwarning


def _show_warning(*shown: Any, **more: Any) -> None:
    """In a capturing thread keep a warning that is to be shown."""
    pieces = _capture.pieces
    if pieces is None or more:
        _usual_showwarning(*shown, **more)
    else:
        pieces.append((WARNED, shown))


def _call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
    """In a capturing thread keep a record for the handlers of the logger, in the place of their own calling."""
    import logging

    pieces = _capture.pieces
    if pieces is None:
        saved = CapturedThreads._saved
        (logging.Logger.callHandlers if saved is None else saved[2])(logger, record)
        return
    later: list[logging.Handler] = []
    found = False
    current: logging.Logger | None = logger
    while current is not None:
        for handler in current.handlers:
            found = True
            if id(handler) in CapturedThreads._handlers:
                later.append(handler)
            elif record.levelno >= handler.level:
                handler.handle(record)
        current = current.parent if current.propagate else None
    if not found and logging.lastResort is not None:
        later.append(logging.lastResort)
    if later:
        try:
            record.msg, record.args = log_records.said(record), None
        except Exception:  # its arguments can't be shown, which is the handler's to say, not the body's to fail of
            later[0].handleError(record)
            return
        pieces.append((RECORD, (record, later)))


class capture:
    """Keep what this thread prints, as pieces."""

    #: Whether its body runs.
    is_entered = False

    def __init__(self, pieces: Pieces | None = None) -> None:
        self.pieces = Pieces() if pieces is None else pieces

    @staticmethod
    def of_this_thread() -> capture | None:
        """Return what keeps the output of the body that this thread is of, None where it is of none."""
        return _capture.body

    def __enter__(self) -> Pieces:
        # It is slow to import, and another thread may be about to.
        if not CapturedThreads._redirects and hasattr(sys.modules.get("subprocess"), "Popen"):
            CapturedThreads._redirects = True
            redirect(sys.modules["subprocess"], _children_of_this_thread)
        self._outer = _capture.pieces, _capture.body
        _capture.pieces, _capture.body = self.pieces, self
        self.is_entered = True
        return self.pieces

    def __exit__(self, *exc_info: object) -> None:
        self.is_entered = False
        _capture.pieces, _capture.body = self._outer
        self.pieces.end()
