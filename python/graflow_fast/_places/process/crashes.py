"""The error for a task whose worker died: what is known of the death, in words. Knows nothing of runs."""

from __future__ import annotations

from graflow_fast._body.output import STDERR, Piece
from graflow_fast._pool.lost import Lost
from graflow_fast.exceptions import WorkerCrashedError

#: Lines of standard error that the message shows.
_LINES = 20

_FATAL = "Fatal Python error:"
#: Frames in these files show how the worker got to the body, which tells users nothing.
_OWN = "graflow_fast/_"
#: What the first frame of all looks like.
_FIRST = 'File "<string>", line 1 in <module>'


def crash_report(task_id: str, attempt: int, lost: Lost, pieces: list[Piece], deaths: int = 0) -> WorkerCrashedError:
    """Return the error.

    Args:
        task_id: the task that was running.
        attempt: which try of it, from 1.
        lost: how the process ended, and how the pool noticed.
        pieces: what the task had printed; its standard error is shown.
        deaths: how many workers have died under the task, if it is not tried again for that; else 0.
    """
    said = "".join(content for kind, content in pieces if kind == STDERR)
    before, fatal, after = said.rpartition(_FATAL)
    if not fatal:
        before, after = after, ""
    tail = "\n".join(before.splitlines()[-_LINES:])
    # When the pool had to end the process itself, the signal says nothing of the cause.
    reason = "" if lost.reason == "its process ended" else lost.reason
    return WorkerCrashedError(
        task_id, attempt, lost.signal, lost.code, lost.peak_rss_bytes, tail, _trimmed(fatal + after), reason, deaths
    )


def without_own_frames(pieces: list[Piece]) -> list[Piece]:
    """Return what a task had said, with this package's frames left out of the fault handler's trace."""
    return [
        (kind, _without_own_frames(content)) if kind == STDERR and _FATAL in content else (kind, content)
        for kind, content in pieces
    ]


def _trimmed(trace: str) -> str:
    return _without_own_frames(trace).strip()


def _without_own_frames(text: str) -> str:
    said, fatal, trace = text.rpartition(_FATAL)
    lines = trace.splitlines(keepends=True)
    kept = []
    for number, line in enumerate(lines):
        own = _OWN in line or (_FIRST in line and number > 0 and _OWN in lines[number - 1])
        if not own:
            kept.append(line)
    return said + fatal + "".join(kept)
