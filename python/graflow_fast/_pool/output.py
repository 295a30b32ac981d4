"""What a worker writes to its standard output and error, at the level of descriptors.

Each is a pipe, and behind it an unlinked file in memory that both sides hold: the worker never waits for a reader, and
what it said before it died is still there. What was read is freed. Who moves from the one to the other, and when, is in
`rust/pool/src/output.rs`.
"""

import os
import select
import sys
import time

_KEEP_SIZE_PUNCH_HOLE = 0x01 | 0x02
_TAIL = 64 * 1024
#: How often, a millisecond apart, a pipe is tried that another process is emptying: it may be one that was stopped.
_TRIES = 20


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

    def length(self) -> int:
        """Up to where it was written."""
        return os.fstat(self.fd).st_size

    def drain_lines(self, until: int) -> bytes:
        """What `drain` would return, as far as it is whole lines (a carriage return ends one, too)."""
        data = os.pread(self.fd, max(0, min(1 << 20, until - self.read_to)), self.read_to)
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        self.read_to += end
        self._free()
        return data[:end]

    def skip(self) -> None:
        """Take what was written since the last call for read; nothing is read of one that is closed."""
        if self.fd < 0:
            return
        self.read_to = self.length()
        self._free()

    def tail(self, size: int = _TAIL) -> bytes:
        """The end of all that was written, as far as it is kept."""
        end = self.length()
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


class PipedStream(Stream):
    """One that is written through a pipe.

    Attributes:
        pipe: where what was written comes out; -1 when it was let go of.
        entry: where it is written to; -1 when the worker has it.
    """

    def __init__(self, name: str) -> None:
        self.pipe = self.entry = -1
        super().__init__(name)
        try:
            self.pipe, self.entry = os.pipe()
            os.set_blocking(self.pipe, False)
        except BaseException:
            self.close()
            raise
        self._poller = select.poll()
        self._poller.register(self.pipe, select.POLLIN)

    def gather(self) -> None:
        """Have all that was written in the file: for when the worker does not do it any more, or not now."""
        if self.pipe < 0 or not self._poller.poll(0):
            return
        from graflow_fast._core import gather_output

        for _ in range(_TRIES):
            if gather_output(self.pipe, self.fd) is not None:
                break
            time.sleep(0.001)

    def hand_over(self) -> None:
        """Let go of the pipe's entry: it is the worker's now, and ends with it."""
        if self.entry >= 0:
            os.close(self.entry)
            self.entry = -1

    def end(self) -> None:
        """Let go of the pipe: whoever writes to it now belongs to no worker."""
        self.hand_over()
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1

    def skip(self) -> None:
        self.gather()
        super().skip()

    def close(self) -> None:
        self.end()
        super().close()
