"""What the running task of a worker has printed, logged and warned so far, read where it survives the worker's death.

Owns the reading of a file in memory that both hold: one record for each piece, from the start of the file on for each
task that says something. A record names its ticket, so what earlier tasks left behind is not read, and has a checksum,
so it may be read while it is written (by `rust/pool/src/journal.rs`).
"""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from typing import Any

_HEAD = struct.Struct("<QBII")  # ticket, kind, length, checksum
_TEXT_KINDS = 2  # standard output and error, whose content is text


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
