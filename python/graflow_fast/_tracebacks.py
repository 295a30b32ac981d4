"""Tracebacks as users need them: their own lines, without this package's.

Owns what is left out. ``GRAFLOW_FAST_FULL_TRACEBACK=1`` keeps everything, for work on the package itself.
"""

from __future__ import annotations

import os
from types import TracebackType

_OURS = (__name__.partition(".")[0], "cloudpickle")


def show_user_lines(error: BaseException) -> BaseException:
    """Leave this package's lines out of the traceback that an error has so far; return the error."""
    if os.environ.get("GRAFLOW_FAST_FULL_TRACEBACK"):
        return error
    return error.with_traceback(user_lines(error.__traceback__))


def add_note(error: BaseException, text: str) -> None:
    """Let a line stand under an error's traceback, without changing its message (Python 3.11 on)."""
    if hasattr(error, "add_note"):
        error.add_note(text)


def user_lines(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the lines of this package and of its pickler, None when it has no others."""
    kept = []
    while trace is not None:
        if not _is_ours(trace):
            kept.append(trace)
        trace = trace.tb_next
    shown: TracebackType | None = None
    for one in reversed(kept):
        shown = TracebackType(shown, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return shown


def _is_ours(trace: TracebackType) -> bool:
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] in _OURS
