"""The memory of a segment that this process made: mapped, written, locked while others read it, used again.

Owns one file in memory at a time. Which block serves which segment is `segments`' business.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterable

from graflow_fast._wire.shared.memory_files import (
    DATA,
    HEADER,
    Token,
    free_memory,
    has_arrived,
    write_all,
)

_MAP_POPULATE: int = getattr(mmap, "MAP_POPULATE", 0x8000)


class Block:
    """The memory of a segment made here, used again and again.

    Attributes:
        needs_arrival: whether another process must say that it has the segment before the block may be used again.
    """

    __slots__ = ("capacity", "fd", "mapping", "needs_arrival", "token")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.capacity = 0
        self.mapping: mmap.mmap | None = None
        self.needs_arrival = False
        self.token: Token = (0, 0)

    def write(self, token: Token, parts: Iterable[tuple[int, memoryview]], size: int) -> None:
        """Fill it; new memory by the system's `write`, which never leaves a hole to fall into, old memory directly.

        Raises:
            OSError: there is no room.
        """
        if size > self.capacity or os.fstat(self.fd).st_size < DATA + size:  # a reader may have freed the memory
            self._unmap()
            os.pwrite(self.fd, bytes(DATA), 0)
            for offset, part in parts:
                write_all(self.fd, part, DATA + offset)
            # Padding between parts is never written, so the end may have to be set.
            os.ftruncate(self.fd, max(DATA + size, os.fstat(self.fd).st_size))
            self.capacity = size
        else:
            if self.mapping is None:
                self.mapping = mmap.mmap(self.fd, DATA + self.capacity, mmap.MAP_SHARED | _MAP_POPULATE)
            with memoryview(self.mapping) as view:
                for offset, part in parts:
                    view[DATA + offset : DATA + offset + part.nbytes] = part
        os.pwrite(self.fd, HEADER.pack(*token, 0), 0)
        self.token = token

    def is_free(self) -> bool:
        """Say whether nobody reads it, nor will."""
        if self.needs_arrival and not self.has_arrived():
            return False
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        return True

    def has_arrived(self) -> bool:
        """Say whether the coordinator has opened it."""
        return has_arrived(self.fd)

    def close(self) -> None:
        """Let go of it; readers keep what they map."""
        if self.fd >= 0:
            self._unmap()
            free_memory(self.fd)
            os.close(self.fd)
            self.fd = -1

    def _unmap(self) -> None:
        if self.mapping is not None:
            self.mapping.close()
            self.mapping = None
