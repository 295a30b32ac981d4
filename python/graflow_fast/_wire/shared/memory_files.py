"""Files in memory: how one is made, opened and freed, and how its first page says what is in it.

Whoever holds a descriptor can hand it on as ``/proc/<pid>/fd/<number>``, so nothing has to be removed afterwards,
whoever dies: the system frees it with its last descriptor or mapping. Every reader holds a shared `flock` for as long
as it maps a file, and the writer writes into an old one only under an exclusive one. Must not know which are in use.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct

#: (pid of the writer, serial number): names one content of one segment. It starts the header.
Token = tuple[int, int]
TOKEN = struct.Struct("<QQ")

#: Where data starts; before it is the header: who wrote the content, the how manyth of his it is, whether it arrived.
DATA = 4096
HEADER = struct.Struct("<QQQ")
_ARRIVED = struct.Struct("<Q")
_ARRIVED_AT = 16


class Gone(LookupError):
    """The segment is not there any more: the process that made it has ended, or has used it for something else."""


def is_out_of_descriptors(error: OSError) -> bool:
    """Say whether an error means that this process, or the system, has too many files open."""
    return error.errno in (errno.EMFILE, errno.ENFILE)


def open_file(path: str, token: Token) -> int:
    """Open a segment for reading.

    Raises:
        Gone: it is not there any more.
        OSError: no descriptor is left.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if is_out_of_descriptors(error):
            raise
        raise Gone(f"shared memory {path} of process {token[0]} is gone ({error.strerror})") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        header = os.pread(fd, HEADER.size, 0)
        if len(header) < HEADER.size or HEADER.unpack(header)[:2] != token:
            raise OSError
    except OSError:
        os.close(fd)
        raise Gone(f"shared memory {path} of process {token[0]} has another content now") from None
    return fd


def free_memory(fd: int) -> None:
    """Free the memory of a segment that nobody reads. Its first page stays, to say so to whoever has it mapped."""
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.pwrite(fd, bytes(TOKEN.size), 0)
        os.ftruncate(fd, DATA)


def new_file() -> int:
    """Make an empty file in memory, without a name."""
    folder = os.environ.get("GRAFLOW_FAST_SHM_DIR")
    if not folder:
        fd = os.memfd_create("graflow-buffers", os.MFD_CLOEXEC)
        os.fchmod(fd, 0o600)  # it can be opened through /proc
        return fd
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        import tempfile

        # A file system without unnamed files: a name for a moment.
        fd, path = tempfile.mkstemp(prefix="graflow-buffers-", dir=folder)
        os.unlink(path)
        return fd


def write_all(fd: int, part: memoryview, offset: int) -> None:
    """Write a whole buffer at an offset."""
    done, end = 0, part.nbytes
    while done < end:
        done += os.pwrite(fd, part[done:], offset + done)


def mark_arrived(fd: int) -> None:
    """Say in a segment that whoever it is for has opened it."""
    os.pwrite(fd, _ARRIVED.pack(1), _ARRIVED_AT)


def has_arrived(fd: int) -> bool:
    """Say whether that is said."""
    return bool(_ARRIVED.unpack(os.pread(fd, _ARRIVED.size, _ARRIVED_AT))[0])
