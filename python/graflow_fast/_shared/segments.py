"""Segments of shared memory: written by one process, mapped read-only by others, reused when nobody maps them.

A segment is a file in memory without a name. Whoever holds a descriptor of it can hand it on as
``/proc/<pid>/fd/<number>``, so nothing has to be removed afterwards, whoever dies: the system frees a segment with its
last descriptor or mapping. Every reader holds a shared `flock` for as long as it maps the segment, and the writer
writes into an old segment only under an exclusive one.

Owns descriptors and locks; `windows` has what is mapped for reading. Must not know what is in a segment.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import struct
from collections import deque
from collections.abc import Iterable
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

#: Where data starts; before it is the header: who wrote the content, the how manyth of his it is, whether it arrived.
DATA = 4096
_HEADER = struct.Struct("<QQQ")
_ARRIVED = struct.Struct("<Q")
_ARRIVED_AT = 16
#: Each buffer starts at a multiple of this.
_ALIGN = 64
#: Segments open in a process at once. Beyond that buffers are copied: descriptors are few.
MOST_OPEN = 256
#: Bytes kept for the next buffers, since memory that was used before is much faster to fill, and in how many segments.
KEEP = 128 << 20
MOST_KEPT = 4

#: (pid of the writer, serial number): names one content of one segment. It starts the header.
Token = tuple[int, int]
TOKEN = struct.Struct("<QQ")

_serials = count(1)


class Gone(LookupError):
    """The segment is not there any more: the process that made it has ended, or has used it for something else."""


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
                _write_all(self.fd, part, DATA + offset)
            # Padding between parts is never written, so the end may have to be set.
            os.ftruncate(self.fd, max(DATA + size, os.fstat(self.fd).st_size))
            self.capacity = size
        else:
            if self.mapping is None:
                self.mapping = mmap.mmap(self.fd, DATA + self.capacity, mmap.MAP_SHARED | _MAP_POPULATE)
            with memoryview(self.mapping) as view:
                for offset, part in parts:
                    view[DATA + offset : DATA + offset + part.nbytes] = part
        os.pwrite(self.fd, _HEADER.pack(*token, 0), 0)
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
        return bool(_ARRIVED.unpack(os.pread(self.fd, _ARRIVED.size, _ARRIVED_AT))[0])

    def close(self) -> None:
        """Let go of it; readers keep what they map."""
        if self.fd >= 0:
            self._unmap()
            _free_memory(self.fd)
            os.close(self.fd)
            self.fd = -1

    def _unmap(self) -> None:
        if self.mapping is not None:
            self.mapping.close()
            self.mapping = None


_MAP_POPULATE: int = getattr(mmap, "MAP_POPULATE", 0x8000)


class Arena:
    """The blocks of this process that are at rest.

    Attributes:
        awaits_arrival: whether segments made here wait until the coordinator has opened them (in a worker).
        open: segments held here; made: how many were ever made here.
        fresh: blocks whose content no report may have named yet.
    """

    def __init__(self) -> None:
        self.awaits_arrival = False
        self.open = 0
        self.made = 0
        self.fresh: list[Block] = []
        self.pid = os.getpid()
        self.resting: deque[Block] = deque()

    def block(self, size: int) -> Block:
        """Return a block for so many bytes: one at rest that fits, else a new one.

        Raises:
            OSError: no new one can be made.
        """
        for block in list(self.resting):
            if size <= block.capacity <= 4 * size and block.is_free():
                with contextlib.suppress(ValueError):
                    self.resting.remove(block)
                    return block
        return Block(_new_file())

    def rest(self, block: Block) -> None:
        """Take a block back."""
        self.resting.append(block)
        self.trim()

    def trim(self) -> None:
        """Close what is too much to keep, the oldest first; what has not arrived yet is never closed."""
        kept, total = 0, 0
        for block in reversed(list(self.resting)):
            if block.needs_arrival and not block.has_arrived():
                continue
            kept += 1
            total += block.capacity
            if kept > MOST_KEPT or total > KEEP:
                total -= block.capacity
                with contextlib.suppress(ValueError):
                    self.resting.remove(block)
                    block.close()


arena = Arena()


class Segment:
    """A content of shared memory that this process holds: made here, or opened here. Released when it is dropped.

    Attributes:
        token: names the content; size: bytes from the start of the file to the end of the content.
    """

    __slots__ = ("__weakref__", "_block", "_home", "fd", "size", "token")

    def __init__(self, fd: int, token: Token, size: int, block: Block | None) -> None:
        self.fd = fd
        self.token = token
        self.size = size
        self._block = block
        self._home = arena
        arena.open += 1

    @property
    def path(self) -> str:
        """Where other processes find it while it is held here."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def __del__(self) -> None:
        home = self._home
        home.open -= 1
        if home is not arena or home.pid != os.getpid():
            os.close(self.fd)  # in a forked child: the rest is its parent's
            return
        if self._block is not None:
            home.rest(self._block)
            return
        if self.size > KEEP:
            _free_memory(self.fd)  # its maker keeps it until his next task ends; why so long
        os.close(self.fd)


def create(parts: list[memoryview]) -> tuple[Segment, list[int]] | None:
    """Put buffers into a segment; return it and where each starts in its data, or None when too many are open.

    Raises:
        OSError: there is no memory, or no place for it.
    """
    if arena.open >= MOST_OPEN:
        return None
    offsets, size = [], 0
    for part in parts:
        offsets.append(size)
        size += -(-part.nbytes // _ALIGN) * _ALIGN
    block = arena.block(size)
    token = (os.getpid(), next(_serials))
    try:
        fcntl.flock(block.fd, fcntl.LOCK_EX)
        block.write(token, zip(offsets, parts, strict=True), size)
        fcntl.flock(block.fd, fcntl.LOCK_UN)
    except BaseException:
        block.close()
        raise
    block.needs_arrival = arena.awaits_arrival
    arena.made += 1
    if arena.awaits_arrival:
        arena.fresh.append(block)
    return Segment(block.fd, token, DATA + size, block), offsets


def adopt(path: str, token: Token, size: int) -> Segment:
    """Open a segment that another process made and hold it; its maker needs to hold it no longer.

    Raises:
        Gone: it is not there any more.
    """
    fd = _open(path, token)
    segment = Segment(fd, token, size, None)
    os.pwrite(fd, _ARRIVED.pack(1), _ARRIVED_AT)
    return segment


def read(path: str, token: Token, size: int) -> bytes:
    """Copy a segment instead of holding it.

    Raises:
        Gone: it is not there any more.
    """
    fd = _open(path, token)
    try:
        data = bytearray(size)
        with memoryview(data) as view:
            done = 0
            while done < size:
                done += os.preadv(fd, [view[done:]], done)
        os.pwrite(fd, _ARRIVED.pack(1), _ARRIVED_AT)
        return bytes(data)
    finally:
        os.close(fd)


#: What is read here, by content.
_leased: WeakValueDictionary[Token, Any] = WeakValueDictionary()
#: What was read lately: the next task may want it, too.
_recent: dict[Token, Any] = {}


def mapping(path: str, token: Token, size: int) -> Any:
    """Return a segment's content as a read-only buffer (from the start of the file), mapped once in this process.

    Raises:
        Gone: it is not there any more.
    """
    found = _leased.get(token)
    if found is None:
        if len(_leased) + arena.open >= MOST_OPEN:
            return read(path, token, size)
        try:
            fd = _open(path, token)
        except OSError as error:
            if not is_out_of_descriptors(error):
                raise
            return read_with_spare(path, token, size)
        try:
            if token[0] != os.getpid():
                os.pwrite(fd, _ARRIVED.pack(1), _ARRIVED_AT)
            from graflow_fast._shared.windows import lease

            found = lease(fd, token, size)
        except BaseException as error:
            os.close(fd)
            if isinstance(error, OSError) and is_out_of_descriptors(error):
                return read_with_spare(path, token, size)
            raise
        _leased[token] = found
        if arena.awaits_arrival:
            _recent[token] = found
            if len(_recent) > MOST_KEPT:
                del _recent[next(iter(_recent))]
    return memoryview(found).cast("B").toreadonly()


def held_at(address: int, size: int) -> tuple[Segment, int] | None:
    """Return the segment, and where in its data, of memory that is read here: what came so can go on so, uncopied.

    None in a worker, whose segments end with it, and for a small part, which would keep the whole.
    """
    if arena.awaits_arrival or arena.open >= MOST_OPEN:
        return None
    for token, lease in list(_leased.items()):
        start = lease.window.address + DATA
        whole = len(lease) - DATA
        if start <= address and address + size <= start + whole and size * 4 >= whole:
            try:
                fd = _open(f"/proc/self/fd/{lease.fd}", token)
            except Gone:  # no descriptor left: it is copied
                return None
            return Segment(fd, token, len(lease), None), address - start
    return None


def sent(*reports: bytes) -> bool:
    """Say whether what is reported names segments made since the last call; the others need not arrive any more."""
    found = False
    for block in arena.fresh:
        path = f"/proc/{os.getpid()}/fd/{block.fd}".encode()
        if any(path in report for report in reports):
            found = True
        else:
            block.needs_arrival = False
    arena.fresh.clear()
    return found


def used() -> bool:
    """Say whether `rest` has something to do."""
    return bool(_recent or arena.resting)


def rest() -> None:
    """Between tasks of a worker with nothing queued: let go of what the next task would only perhaps want."""
    _recent.clear()
    if arena.resting:
        arena.trim()


class Spare:
    """A descriptor to give up for a moment when no other is left, so that what has been made can still be read."""

    def __init__(self) -> None:
        self.fd = -1
        with contextlib.suppress(OSError):
            self.fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            _spares.append(self)

    def give_up(self) -> None:
        """Close it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self in _spares:
            _spares.remove(self)


_spares: list[Spare] = []


def read_with_spare(path: str, token: Token, size: int) -> bytes:
    """Copy a segment when there is no descriptor left to hold it.

    Raises:
        Gone: it is not there any more.
        OSError: there is not even a spare descriptor.
    """
    spare = next((spare for spare in _spares if spare.fd >= 0), None)
    if spare is None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    os.close(spare.fd)
    spare.fd = -1
    try:
        return read(path, token, size)
    finally:
        with contextlib.suppress(OSError):  # another thread was faster
            spare.fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def is_out_of_descriptors(error: OSError) -> bool:
    """Say whether an error means that this process, or the system, has too many files open."""
    return error.errno in (errno.EMFILE, errno.ENFILE)


def _open(path: str, token: Token) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if is_out_of_descriptors(error):
            raise
        raise Gone(f"shared memory {path} of process {token[0]} is gone ({error.strerror})") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        header = os.pread(fd, _HEADER.size, 0)
        if len(header) < _HEADER.size or _HEADER.unpack(header)[:2] != token:
            raise OSError
    except OSError:
        os.close(fd)
        raise Gone(f"shared memory {path} of process {token[0]} has another content now") from None
    return fd


def _free_memory(fd: int) -> None:
    """Free the memory of a segment that nobody reads. Its first page stays, to say so to whoever has it mapped."""
    with contextlib.suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.pwrite(fd, bytes(TOKEN.size), 0)
        os.ftruncate(fd, DATA)


def _new_file() -> int:
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


def _write_all(fd: int, part: memoryview, offset: int) -> None:
    done, end = 0, part.nbytes
    while done < end:
        done += os.pwrite(fd, part[done:], offset + done)


def _in_child() -> None:
    """In a forked child: nothing here is ours. Descriptors that mark the parent's reading are closed."""
    global arena
    old, arena = arena, Arena()
    for block in old.resting:
        with contextlib.suppress(OSError):
            os.close(block.fd)
    old.resting.clear()


os.register_at_fork(after_in_child=_in_child)
