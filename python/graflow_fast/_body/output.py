"""What bodies print, log and warn, released in the order of the sequential run.

Each branch has an `OutputStream`; the first unfinished member of a fork flows straight through to its parent, later
ones are
kept until their turn. Owns that order, and how a piece is shown; knows nothing of tasks, nor where pieces come from.
"""

from __future__ import annotations

import sys
import warnings
from itertools import groupby
from operator import itemgetter
from typing import Any

from graflow_fast._wire.crossing import CACHED, LOG, STDERR, STDOUT, WARNING
from graflow_fast.exceptions import LostMutationWarning, NotCachedWarning

__all__ = ["LOG", "STDERR", "STDOUT", "WARNING", "Piece"]

#: One piece of output: (kind, content).
Piece = tuple[int, Any]
#: Pieces of this process: a log record and the handlers that are to hear of it; a warning that passed the filters.
RECORD, WARNED = -1, -2


#: What this run was warned of by bodies in workers: (file, line, what).
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
            show_all(pieces)
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
        show_all(held)


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

    def flows(self, index: int) -> bool:
        """Say whether the branch with that index may print at once; nothing is kept of it."""
        if index in self.streams:
            return self.streams[index].flowing()
        return self.live or (self.turn == index <= self.last and self.parent.flowing())

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


def show_all(pieces: list[Piece]) -> None:
    """Show pieces in order; texts that follow each other as one, so that no other thread prints between them."""
    if len(pieces) == 1:
        show(pieces[0])
        return
    for kind, same in groupby(pieces, itemgetter(0)):
        if kind in (STDOUT, STDERR):
            show((kind, "".join(content for _, content in same)))
        else:
            for piece in same:
                show(piece)


def show(piece: Piece) -> None:
    """Bring a piece of output to where the caller of ``execute()`` sees it."""
    kind, content = piece
    if kind == STDOUT:
        if sys.stdout is not None:  # a program without a terminal (pythonw, some services) has none
            sys.stdout.write(content)
    elif kind == STDERR:
        if sys.stderr is not None:
            sys.stderr.write(content)
    elif kind == LOG:
        import logging  # slow to import

        record = logging.makeLogRecord(content)
        logging.getLogger(record.name).handle(record)  # that its level is enough was seen where it was logged
    elif kind == RECORD:
        record, handlers = content
        for handler in handlers:
            if record.levelno >= handler.level:
                handler.handle(record)
    elif kind == WARNING:
        message, category, filename, lineno, module = content
        if isinstance(message, (LostMutationWarning, NotCachedWarning)):
            # The members of a large group share one body: the first of them says it for all.
            said = (filename, lineno, message.said)
            if said in _said:
                return
            _said.add(said)
        if type(message) is tuple:
            message, category = _made_again(*message)
        _warn(message, category, filename, lineno, module)
    elif kind == WARNED:
        warnings.showwarning(*content)
    elif kind == CACHED:
        from graflow_fast._body import origins

        origins.note(*content)


def _made_again(module: str, name: str, args: tuple[Any, ...], attributes: dict[str, Any], text: str) -> Any:
    """Return a warning of a worker's, and its class; what stands in for it if that has no such name here."""
    from graflow_fast._wire.exception_pickling import rebuilt

    kind: Any = sys.modules.get(module)
    for part in name.split("."):
        kind = getattr(kind, part, None)
    if not (isinstance(kind, type) and issubclass(kind, Warning)):
        return text, UserWarning
    try:
        return rebuilt(kind, args, attributes), kind
    except Exception:  # another class has its name by now
        return text, UserWarning


def _warn(message: Any, category: type[Warning], filename: str, lineno: int, module: str | None) -> None:
    """Warn as the line there would have in this process: an equal warning is shown as often as the filters say."""
    if module is None:
        warnings.warn_explicit(message, category, filename, lineno)
        return
    found = sys.modules.get(module)
    variables: dict[str, Any] = _elsewhere if found is None else vars(found)
    registry = variables.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, filename, lineno, module, registry)


#: Stands for the variables of modules that are only in workers.
_elsewhere: dict[str, Any] = {}
