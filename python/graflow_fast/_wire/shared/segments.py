"""Segments of shared memory: written by one process, mapped by others, reused when nobody maps them.

Owns descriptors and locks; `windows` has what is mapped for reading. Must not know what is in a segment.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections import deque
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

from graflow_fast._wire.shared.blocks import Block
from graflow_fast._wire.shared.memory_files import (
    DATA,
    Gone,
    Token,
    free_memory,
    is_out_of_descriptors,
    mark_arrived,
    new_file,
    open_file,
)

#: Each buffer starts at a multiple of this.
_ALIGN = 64
#: Segments open in a process at once. Beyond that buffers are copied: descriptors are few.
MOST_OPEN = 256
#: Bytes kept for the next buffers, since memory that was used before is much faster to fill, and in how many segments.
KEEP = 128 << 20
MOST_KEPT = 4

_serials = count(1)


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
        return Block(new_file())

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
            free_memory(self.fd)  # its maker keeps it until his next task ends; why so long
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
    fd = open_file(path, token)
    segment = Segment(fd, token, size, None)
    mark_arrived(fd)
    return segment


def read(path: str, token: Token, size: int) -> bytearray:
    """Copy a segment instead of holding it.

    Raises:
        Gone: it is not there any more.
    """
    fd = open_file(path, token)
    try:
        data = bytearray(size)
        with memoryview(data) as view:
            done = 0
            while done < size:
                done += os.preadv(fd, [view[done:]], done)
        mark_arrived(fd)
        return data
    finally:
        os.close(fd)


#: What is read here, by content.
_leased: WeakValueDictionary[Token, Any] = WeakValueDictionary()
#: What was read lately: the next task may want it, too.
_recent: dict[Token, Any] = {}


def mapping(path: str, token: Token, size: int) -> Any:
    """Return a segment's content as a buffer (from the start of the file), mapped once in this process.

    Whoever writes to it changes pages of this mapping alone; it is mapped anew for the next one who asks.

    Raises:
        Gone: it is not there any more.
    """
    found = _leased.get(token)
    if found is None or found.window.is_changed():
        if len(_leased) + arena.open >= MOST_OPEN:
            return read(path, token, size)
        try:
            fd = open_file(path, token)
        except OSError as error:
            if not is_out_of_descriptors(error):
                raise
            return read_with_spare(path, token, size)
        try:
            if token[0] != os.getpid():
                mark_arrived(fd)
            from graflow_fast._wire.shared.windows import lease

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
    return memoryview(found).cast("B")


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
            if lease.window.is_changed(address - lease.window.address, size):
                return None
            try:
                fd = open_file(f"/proc/self/fd/{lease.fd}", token)
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


def read_with_spare(path: str, token: Token, size: int) -> bytearray:
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


def _in_child() -> None:
    """In a forked child: nothing here is ours. Descriptors that mark the parent's reading are closed."""
    global arena
    old, arena = arena, Arena()
    for block in old.resting:
        with contextlib.suppress(OSError):
            os.close(block.fd)
    old.resting.clear()


os.register_at_fork(after_in_child=_in_child)
