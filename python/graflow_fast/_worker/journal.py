"""What the running task has printed, logged and warned so far, where it survives the death of the worker.

Owns a file in memory that the coordinator holds, too, and its format: one record for each piece, from the start of the
file on for each task that says something. A record names its ticket, so what earlier tasks left behind is not read.
Nothing is done here for tasks that say nothing.
"""

from __future__ import annotations

import os
import pickle
import struct
from typing import Any

_HEAD = struct.Struct("<QBI")  # ticket, kind, length
_TEXT_KINDS = 2  # standard output and error, whose content is text
#: A file that has grown beyond this is cut when the next task starts to write.
_KEEP = 1 << 20

_fd = -1
_ticket = 0
_end = 0


def use(fd: int) -> None:
    """Write to this descriptor from now on."""
    global _fd
    _fd = fd


def write(ticket: int, kind: int, content: Any) -> None:
    """Add one piece of a task's output."""
    global _ticket, _end
    if _fd < 0:
        return
    try:
        if ticket != _ticket:
            _ticket = ticket
            if _end > _KEEP:
                os.ftruncate(_fd, 0)
            _end = 0
        data = content.encode("utf-8", "surrogatepass") if kind < _TEXT_KINDS else pickle.dumps(content)
        record = _HEAD.pack(ticket, kind, len(data)) + data
        os.pwrite(_fd, record, _end)
        _end += len(record)
    except OSError:
        pass  # memory is full or the body closed it: the task goes on, and its report has the pieces anyway


def read(fd: int, ticket: int) -> list[tuple[int, Any]]:
    """Return the pieces of the task that died, as far as they were written."""
    pieces: list[tuple[int, Any]] = []
    at = 0
    while True:
        head = os.pread(fd, _HEAD.size, at)
        if len(head) < _HEAD.size:
            return pieces
        found, kind, length = _HEAD.unpack(head)
        if found != ticket:
            return pieces
        data = os.pread(fd, length, at + _HEAD.size)
        if len(data) < length:
            return pieces
        try:
            pieces.append((kind, data.decode("utf-8", "surrogatepass") if kind < _TEXT_KINDS else pickle.loads(data)))
        except Exception:
            return pieces
        at += _HEAD.size + length
