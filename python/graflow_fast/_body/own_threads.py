"""Threads that bodies of this process start: what they print is kept with what the body prints, as long as that runs.

Owns that they know whose they are. One that goes on when its body has ended, as those of a pool do, prints as any other
thread of the program. Must not know what becomes of what is kept.
"""

from __future__ import annotations

import threading
from typing import Any

from graflow_fast._body.captured import GivenUp, Pieces, capture, pass_on, start_as
from graflow_fast._body.children import ChildOutput
from graflow_fast._body.output import Piece

_start: Any = threading.Thread.start


class OfBody(Pieces):
    """What a thread of a body prints."""

    def __init__(self, body: capture) -> None:
        super().__init__()
        self._body = body

    def check(self) -> None:
        """Raise `GivenUp` when the body has been given up."""
        if self._body.is_entered:
            self._body.pieces.check()

    def append(self, piece: Piece) -> None:
        """Keep a piece with the body's, or show it."""
        if self._body.is_entered:
            self._body.pieces.append(piece)
        else:
            pass_on(piece, None)

    def children(self) -> ChildOutput | None:
        """Return where subprocesses of the thread write, None: wherever this process does."""
        return self._body.pieces.children() if self._body.is_entered else None


def start(thread: threading.Thread) -> None:
    """Start a thread, whose output is the body's if a body starts it."""
    body = capture.of_this_thread()
    if body is not None:
        run, pieces = thread.run, OfBody(body)

        def run_of_body() -> None:
            start_as(pieces, body)
            try:
                run()
            except GivenUp:  # by its body, whose outcome no longer matters
                return

        thread.run = run_of_body  # type: ignore[method-assign]
    _start(thread)


def follow() -> None:
    """Let threads that bodies start from now on be theirs."""
    global _start
    if threading.Thread.start is not start:
        _start = threading.Thread.start  # perhaps somebody else's already
    threading.Thread.start = start  # type: ignore[method-assign, assignment]


def follow_no_more() -> None:
    """Let threads be started as before, unless somebody else has changed how since."""
    if threading.Thread.start is start:
        threading.Thread.start = _start  # type: ignore[method-assign]
