"""The error for a task whose worker died: what is known of the death, in words. Knows nothing of runs."""

from __future__ import annotations

import signal

from graflow_fast._pool.process_pool import ExitInfo
from graflow_fast._run.output import STDERR, Piece
from graflow_fast._worker.main import LINK_BROKEN
from graflow_fast.exceptions import WorkerCrashedError

#: Lines of standard error that the message shows.
_LINES = 20

_FATAL = "Fatal Python error:"
#: From the first frame in this file on, a trace shows how the worker got to the body, which tells users nothing.
_OWN = "graflow_fast/_worker/loop.py"


#: After so many deaths of its workers a body is taken for the cause, whatever its retry policy says ...
_POISON = 3
#: ... and after so many by a signal that others send, too: the system when memory runs out, an operator, a supervisor.
_POISON_BY_STRANGERS = 10


def most_deaths(info: ExitInfo) -> int:
    """Return how many workers may die under a task before it is not tried again."""
    return _POISON_BY_STRANGERS if info.signal in (signal.SIGKILL, signal.SIGTERM) else _POISON


def crash_report(task_id: str, attempt: int, info: ExitInfo, why: str, pieces: list[Piece]) -> WorkerCrashedError:
    """Return the error.

    Args:
        task_id: the task that was running.
        attempt: which try of it, from 1.
        info: how the process ended.
        why: how the pool noticed.
        pieces: what the task had printed; its standard error is shown.
    """
    said = "".join(content for kind, content in pieces if kind == STDERR)
    before, fatal, after = said.rpartition(_FATAL)
    if not fatal:
        before, after = after, ""
    tail = "\n".join(before.splitlines()[-_LINES:])
    # When the pool had to end the process itself, the signal says nothing of the cause.
    reason = "" if why == "its process ended" else why
    if info.code == LINK_BROKEN:
        reason = "it closed its own link"
    return WorkerCrashedError(
        task_id, attempt, info.signal, info.code, info.peak_rss_bytes, tail, _trimmed(fatal + after), reason
    )


def _trimmed(trace: str) -> str:
    lines = []
    for line in trace.splitlines():
        if _OWN in line:
            break
        lines.append(line)
    return "\n".join(lines).strip()
