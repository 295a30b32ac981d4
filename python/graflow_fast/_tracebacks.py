"""Tracebacks as users need them: their own lines, without this package's.

Owns what is left out. ``GRAFLOW_FAST_FULL_TRACEBACK=1`` keeps everything, for work on the package itself.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType

_OURS = (__name__.partition(".")[0], "cloudpickle")


def show_user_lines(error: BaseException) -> BaseException:
    """Leave this package's lines out of the traceback that an error has so far; return the error."""
    if os.environ.get("GRAFLOW_FAST_FULL_TRACEBACK"):
        return error
    trace = error.__traceback__
    shown = user_lines(trace)
    if trace is not None and sys.version_info < (3, 11):
        # There a bare `raise` takes the traceback that its handler began with: all but its first line is replaced.
        trace.tb_next = user_lines(trace.tb_next)
    return error.with_traceback(shown)


def add_note(error: BaseException, text: str) -> None:
    """Let a line stand under an error's traceback, without changing its message.

    Python 3.10 shows no such lines; there they are kept where later versions, and tools that know them, look.
    """
    if hasattr(error, "add_note"):
        error.add_note(text)
    else:
        error.__notes__ = [*getattr(error, "__notes__", ()), text]


def add_place(error: BaseException, place: str) -> None:
    """Let an error's traceback say last that it came up ``in <place>``: ``task 'load'``.

    With Python 3.10, which shows no notes, that is the last one of the traceback's own lines.
    """
    add_note(error, f"in {place}")
    if not hasattr(error, "add_note"):
        code = compile("raise error", f"<{_OURS[0]}>", "exec").replace(co_name=place)
        namespace = {"__name__": "", "error": error}
        try:
            exec(code, namespace)
        except BaseException as raised:
            trace = raised.__traceback__
            error.__traceback__ = trace and trace.tb_next
        del namespace["error"]  # or the two hold each other


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
