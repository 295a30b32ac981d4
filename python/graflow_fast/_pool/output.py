"""What a worker writes to its standard output and error, at the level of descriptors.

Each is an unlinked file in memory that both sides hold: the worker never waits for a reader, and what it said before it
died is still there. What was read is freed.
"""

import os
import sys

_KEEP_SIZE_PUNCH_HOLE = 0x01 | 0x02
_TAIL = 64 * 1024


def memory_file(name: str) -> int:
    """Return the descriptor of a new file in memory, which nobody else may open."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.fchmod(fd, 0o600)  # by default everybody could execute it
    return fd


class Stream:
    """One captured stream."""

    def __init__(self, name: str) -> None:
        self.fd = -1
        self.fd = memory_file(name)
        #: Up to where it was read.
        self.read_to = 0
        self._freed = 0

    def drain(self, until: int = sys.maxsize) -> bytes:
        """What was written since the last call, up to a position."""
        parts = []
        while part := os.pread(self.fd, max(0, min(1 << 20, until - self.read_to)), self.read_to):
            self.read_to += len(part)
            parts.append(part)
        self._free()
        return b"".join(parts)

    def drain_lines(self) -> bytes:
        """What was written since the last call, as far as it is whole lines (a carriage return ends one, too)."""
        data = os.pread(self.fd, 1 << 20, self.read_to)
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        self.read_to += end
        self._free()
        return data[:end]

    def skip(self) -> None:
        """Take what was written since the last call for read; nothing is read of one that is closed."""
        if self.fd < 0:
            return
        self.read_to = os.fstat(self.fd).st_size
        self._free()

    def tail(self, size: int = _TAIL) -> bytes:
        """The end of all that was written, as far as it is kept."""
        end = os.fstat(self.fd).st_size
        return os.pread(self.fd, size, max(0, end - size))

    def close(self) -> None:
        """Let go of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _free(self) -> None:
        """Give back the memory of what was read, but for a tail to show in errors."""
        end = (self.read_to - _TAIL) & ~0xFFFF
        if end - self._freed < 1 << 20:
            return
        import ctypes  # rarely needed, and slow to import

        libc = ctypes.CDLL(None)
        libc.fallocate(self.fd, _KEEP_SIZE_PUNCH_HOLE, ctypes.c_int64(self._freed), ctypes.c_int64(end - self._freed))
        self._freed = end
