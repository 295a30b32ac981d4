"""What the running task has printed, logged and warned so far, where it survives the death of the worker.

Owns a file in memory that the coordinator holds, too, and its format: one record for each piece, from the start of the
file on for each task that says something. A record names its ticket, so what earlier tasks left behind is not read, and
has a checksum, so it may be read while it is written.
Nothing is done here for tasks that say nothing.
"""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from typing import Any

_HEAD = struct.Struct("<QBII")  # ticket, kind, length, checksum
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
            if _end < 0 or _end > _KEEP:
                os.ftruncate(_fd, 0)
            _end = 0
        data = content.encode("utf-8", "surrogatepass") if kind < _TEXT_KINDS else pickle.dumps(content)
        record = _HEAD.pack(ticket, kind, len(data), _checksum(ticket, kind, data)) + data
        if _end < 0:
            return  # a piece is missing, so the ones behind it must not be taken for it
        os.pwrite(_fd, record, _end)
        _end += len(record)
    except OSError:
        _end = -1  # memory is full or the body closed it: the task goes on, and its report has the pieces anyway


def read(fd: int, ticket: int, at: int = 0) -> tuple[list[tuple[int, Any]], int]:
    """Return the pieces of a task from a place on, as far as they were written, and where they end."""
    pieces: list[tuple[int, Any]] = []
    while True:
        head = os.pread(fd, _HEAD.size, at)
        if len(head) < _HEAD.size:
            return pieces, at
        found, kind, length, checksum = _HEAD.unpack(head)
        if found != ticket:
            return pieces, at
        data = os.pread(fd, length, at + _HEAD.size)
        if len(data) < length or _checksum(ticket, kind, data) != checksum:
            return pieces, at
        try:
            pieces.append((kind, data.decode("utf-8", "surrogatepass") if kind < _TEXT_KINDS else pickle.loads(data)))
        except Exception:
            return pieces, at
        at += _HEAD.size + length


def speaker(fd: int) -> int | None:
    """Return the ticket of the task that said something last, None if there is none."""
    head = os.pread(fd, _HEAD.size, 0)
    return int(_HEAD.unpack(head)[0]) if len(head) == _HEAD.size else None


def _checksum(ticket: int, kind: int, data: bytes) -> int:
    return zlib.crc32(data, (ticket ^ kind << 24) & 0xFFFFFFFF)
