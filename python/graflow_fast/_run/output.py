"""What bodies print, log and warn, released in the order of the sequential run.

Each branch has an `OutputStream`; the first unfinished member of a fork flows straight through to its parent, later
ones are
kept until their turn. Owns that order and the capture of what a thread prints and logs; knows nothing of tasks.
"""

from __future__ import annotations

import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

from graflow_fast._run.crossing import LOG, STDERR, STDOUT, WARNING
from graflow_fast.exceptions import LostMutationWarning

if TYPE_CHECKING:
    import logging

__all__ = ["LOG", "STDERR", "STDOUT", "WARNING", "Piece"]

#: One piece of output: (kind, content).
Piece = tuple[int, Any]
#: A piece of this process: a log record, and the handlers that are to hear of it.
RECORD = 4


#: The lost mutations that this run was told of: (file, line, variables).
_said: set[tuple[str, int, tuple[str, ...]]] = set()


class OutputStream:
    """The output of one branch, and where it goes."""

    __slots__ = ("flows", "fork", "held", "index")

    def __init__(self, fork: ForkOutput | None = None, index: int = 0) -> None:
        self.fork = fork
        self.index = index
        self.held: list[Piece] = []
        self.flows = fork is None
        if self.flows:
            _said.clear()  # another run begins

    def write(self, pieces: list[Piece]) -> None:
        """Show pieces now if it is this branch's turn, else keep them."""
        if not pieces:
            return
        if self.flowing():
            for piece in pieces:
                show(piece)
        else:
            self.held.extend(pieces)

    def flowing(self) -> bool:
        """Say whether everything before this branch has been shown."""
        if self.flows or self.fork is None:
            return True
        if self.index > self.fork.last:
            return False
        if self.fork.turn == self.index and self.fork.parent.flowing():
            self.flows = True
            self._show_held()
        return self.flows

    def _show_held(self) -> None:
        held, self.held = self.held, []
        for piece in held:
            show(piece)


class ForkOutput:
    """The outputs of a fork's branches: whose turn it is, and what the others said meanwhile.

    With ``live`` every branch flows at once.
    """

    __slots__ = ("ended", "last", "live", "parent", "streams", "turn")

    def __init__(self, parent: OutputStream, live: bool = False) -> None:
        self.parent = parent
        self.live = live
        self.turn = 0
        #: The last branch whose output counts.
        self.last = sys.maxsize
        self.streams: dict[int, OutputStream] = {}
        self.ended: set[int] = set()

    def stream(self, index: int) -> OutputStream:
        """Return the stream of the branch with that index."""
        found = self.streams.get(index)
        if found is None:
            found = self.streams[index] = OutputStream(self, index)
            found.flows = self.live
        return found

    def end(self, index: int) -> None:
        """Note that a branch has ended; the next unfinished one gets its turn, finished ones on the way are shown."""
        if index != self.turn:
            self.ended.add(index)
            return
        self._leave(index)
        self.turn += 1
        while self.turn in self.ended:
            self.ended.discard(self.turn)
            self._leave(self.turn)
            self.turn += 1
        following = self.streams.get(self.turn)
        if following is not None and self.turn <= self.last:
            following.flowing()

    def cut(self, index: int) -> None:
        """Forget what branches after that one said: as if the members had run in order, they never ran."""
        for later in [found for found in self.streams if found > index]:
            del self.streams[later]
        self.last = index

    def show_up_to(self, index: int) -> None:
        """Show what the branches up to that one have said so far, in order, and let the last of them flow.

        The parent must flow already. Nothing follows but what a fork within the last branch has kept.
        """
        last = self.stream(index)
        for found in sorted(self.streams):
            if found <= index:
                self.streams[found]._show_held()
        last.flows = True

    def _leave(self, index: int) -> None:
        stream = self.streams.pop(index, None)
        if stream is not None and stream.held:
            held, stream.held = stream.held, []
            self.parent.write(held)


def show(piece: Piece) -> None:
    """Bring a piece of output to where the caller of ``execute()`` sees it."""
    kind, content = piece
    if kind == STDOUT:
        sys.stdout.write(content)
    elif kind == STDERR:
        sys.stderr.write(content)
    elif kind == LOG:
        import logging  # slow to import

        record = logging.makeLogRecord(content)
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
    elif kind == RECORD:
        record, handlers = content
        for handler in handlers:
            if record.levelno >= handler.level:
                handler.handle(record)
    else:
        message, category, filename, lineno = content
        if isinstance(message, LostMutationWarning):
            # The members of a large group share one body: the first of them says it for all.
            said = (filename, lineno, message.variables)
            if said in _said:
                return
            _said.add(said)
        warnings.warn_explicit(message, category, filename, lineno)


class GivenUp(BaseException):
    """Raised in a body whose outcome no longer matters, to end it."""


class Pieces(list[Piece]):
    """What a body of this process has printed so far."""

    _refused = False

    def refuse(self) -> None:
        """Raise `GivenUp` in whoever adds or takes pieces from now on."""
        self._refused = True

    def append(self, piece: Piece) -> None:
        """Keep a piece."""
        if self._refused:
            raise GivenUp
        super().append(piece)

    def take(self) -> list[Piece]:
        """Return what was kept since the last call."""
        if self._refused:
            raise GivenUp
        taken = self[:]
        self.clear()
        return taken


class _Capture(threading.local):
    pieces: Pieces | None = None


_capture = _Capture()


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
        if _capture.pieces is None:
            self._original.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


class CapturedThreads:
    """While entered, threads that call `capture` keep their output to themselves."""

    _guard = threading.Lock()
    _users = 0
    _saved: tuple[Any, Any, Any] | None = None
    #: The logging handlers that there were when the capture began; those that a body adds hear of its records at once.
    _handlers: frozenset[int] = frozenset()

    def __enter__(self) -> CapturedThreads:
        cls = CapturedThreads
        import logging

        with cls._guard:
            if cls._users == 0:
                cls._saved = (sys.stdout, sys.stderr, logging.Logger.callHandlers)
                handlers: list[Any] = [reference() for reference in logging._handlerList]  # type: ignore[attr-defined]
                cls._handlers = frozenset(map(id, handlers))
                logging.Logger.callHandlers = _call_handlers  # type: ignore[method-assign, assignment]
                sys.stdout = _CapturingStream(sys.stdout, STDOUT)
                sys.stderr = _CapturingStream(sys.stderr, STDERR)
            cls._users += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        cls = CapturedThreads
        with cls._guard:
            cls._users -= 1
            if cls._users == 0 and cls._saved is not None:
                if isinstance(sys.stdout, _CapturingStream):
                    sys.stdout = cls._saved[0]
                if isinstance(sys.stderr, _CapturingStream):
                    sys.stderr = cls._saved[1]
                import logging

                if logging.Logger.callHandlers is _call_handlers:
                    logging.Logger.callHandlers = cls._saved[2]  # type: ignore[method-assign]
                cls._saved = None


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
        record.msg, record.args = record.getMessage(), None  # what it names may change before it is shown
        pieces.append((RECORD, (record, later)))


class capture:
    """Keep what this thread prints, as pieces."""

    def __init__(self, pieces: Pieces | None = None) -> None:
        self._pieces = Pieces() if pieces is None else pieces

    def __enter__(self) -> Pieces:
        self._outer = _capture.pieces
        _capture.pieces = self._pieces
        return self._pieces

    def __exit__(self, *exc_info: object) -> None:
        _capture.pieces = self._outer
