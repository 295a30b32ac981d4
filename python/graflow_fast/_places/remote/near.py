"""A worker elsewhere as the head has it: the far end of the core's link, the copy of its claims, copies of its files.

Owns these descriptors. The core and the pool take them for those of a worker on this machine. Used by the bridge's
thread from the moment on that it is handed over.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from graflow_fast._core import ClaimCopy
from graflow_fast._pool.worker_process import WorkerProcess

#: Bytes that are taken from the core at a time.
_PART = 1 << 20


class NearWorker:
    """One worker elsewhere.

    Attributes:
        process: what the pool knows of it.
        waits: whether the core's socket is full, so that some of what came waits here.
        is_full: whether nothing is taken from the core, since the trunk has too much to carry.
        epoch: the epoch of live keys that its station was told last.
    """

    def __init__(self, process: WorkerProcess, link: socket.socket, claims: int) -> None:
        link.setblocking(False)
        self.process = process
        self.number = process.number
        self._link = link
        self._claims = ClaimCopy(claims)
        self._waiting = bytearray()
        self._ends = False
        self.is_full = False
        self.is_closed = False

    def fileno(self) -> int:
        """Return the link's descriptor."""
        return self._link.fileno()

    @property
    def waits(self) -> bool:
        """Whether something is still to be given to the core."""
        return bool(self._waiting)

    def take(self) -> bytes | None:
        """Return what the core has sent, nothing if there is nothing now, None when it has closed its end."""
        try:
            return self._link.recv(_PART) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def live_epoch(self) -> int:
        """Return the epoch that the core has announced; ask after `take`: it comes before what it allows."""
        return self._claims.live_epoch()

    def give(self, frames: bytes) -> None:
        """Pass frames of the worker on to the core."""
        self._waiting += frames
        self.flush()

    def flush(self) -> None:
        """Give the core what its socket takes; close the link when all is given and nothing more will come."""
        try:
            while self._waiting:
                del self._waiting[: self._link.send(self._waiting)]
        except BlockingIOError:
            return
        except OSError:  # the core has let go of it
            self._waiting.clear()
        if self._ends:
            self.close()

    def take_changes(self, changes: bytes) -> None:
        """Note what the worker's claims say."""
        self._claims.take_changes(changes)

    def write(self, index: int, at: int, content: bytes) -> None:
        """Note what the worker has written to one of its files."""
        process = self.process
        stream = (process.stdout, process.stderr, process.journal)[index]
        while content and stream.fd >= 0:
            written = os.pwrite(stream.fd, content, at)
            at, content = at + written, content[written:]

    def end(self) -> None:
        """Let the core see that the worker has ended, when it has all that came before."""
        self._ends = True
        self.flush()

    def close(self) -> None:
        """Close the link; a forked child of the program may have a copy of it, which is no reason to wait for him."""
        self.is_closed = True
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()

    def disown(self) -> None:
        """In a forked child: close the copy of the link."""
        self._link.close()
