"""Segments mapped for whoever reads them: a mapping stays when its last reader has gone, for the next content.

To map the pages of a segment takes half as long as to copy them, and a loop that sends an array at every turn would do
it at every turn. So memory stays mapped, but not locked: its owner may fill it anew. Whoever reads it first takes a
lease, which holds the lock of the file and is bound to what the first page says the content is.

A mapping is private: who changes an array gets pages of his own for what he changes, and nobody else sees it. A mapping
that was changed so is not used again.

Owns mapped addresses and leases of them. Must not know how segments are found or made. Imported when first needed.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections import deque
from functools import lru_cache
from typing import Any

from graflow_fast._wire.shared.memory_files import TOKEN, Token

#: Bytes that stay mapped here with nobody reading them, and in how many mappings. It is memory that its owner keeps
#: anyway; when he lets go of it, it is freed whoever has it mapped.
KEEP = 256 << 20
MOST_KEPT = 8
_POPULATE_READ = 22  # MADV_POPULATE_READ
_NORESERVE = 0x4000  # MAP_NORESERVE
_PAGES_AT_ONCE = 1 << 16
#: The highest byte of a page map's entry for pages that are not there, or are the file's.
_OF_THE_FILE = bytes(byte for byte in range(256) if not byte & 0xC0 or byte & 0x20)

_system: Any = ctypes.CDLL(None, use_errno=True)
_system.mmap.restype = ctypes.c_void_p
_system.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
_system.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
_system.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_MAP_FAILED = ctypes.c_void_p(-1).value


class _Window:
    """Memory where a segment is mapped, copy-on-write."""

    __slots__ = ("address", "size")

    def __init__(self, fd: int, size: int) -> None:
        # Opened anew: a mapping keeps what it was made from open, and the lock with it.
        unlocked = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            access, kind = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | _NORESERVE
            address = _system.mmap(None, size, access, kind, unlocked, 0)
        finally:
            os.close(unlocked)
        if address == _MAP_FAILED:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self.address: int = address
        self.size = size
        # All pages at once. An old system refuses, and they come one by one.
        _system.madvise(address, size, _POPULATE_READ)

    def shows(self, token: Token) -> bool:
        """Say whether this content is what it shows; the first page of a segment is always there."""
        return TOKEN.unpack(ctypes.string_at(self.address, TOKEN.size)) == token

    def is_changed(self, start: int = 0, size: int | None = None) -> bool:
        """Say whether somebody has changed bytes of it (of so many from there on); if that can't be seen, it may be.

        The system says of each page whether it is still the file's.
        """
        first = (self.address + start) // mmap.PAGESIZE
        end = self.address + (self.size if size is None else start + size)
        pages = -(-end // mmap.PAGESIZE) - first
        try:
            pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return True
        try:
            while pages > 0:
                data = os.pread(pagemap, min(pages, _PAGES_AT_ONCE) * 8, first * 8)
                if not data:
                    return True
                if _has_own_pages(data):
                    return True
                first += len(data) // 8
                pages -= len(data) // 8
        except OSError:
            return True
        finally:
            os.close(pagemap)
        return False

    def close(self) -> None:
        """Unmap it."""
        _system.munmap(self.address, self.size)


def _has_own_pages(entries: bytes) -> bool:
    """Say of entries of the page map whether one is there (or swapped out) and not the file's.

    The highest byte of each: bit 7 present, 6 swapped, 5 a file's or shared.
    """
    return bool(entries[7::8].translate(None, _OF_THE_FILE))


#: Mapped, and read by nobody.
_idle: deque[_Window] = deque()


class Lease:
    """The right to read a content, as a buffer: ends with the last array or view that is made of it."""

    fd: int
    window: _Window

    def __del__(self, close: Any = os.close) -> None:
        # Closed and not unlocked: a child that was forked meanwhile has the lock, too, and may read on.
        close(self.fd)
        if self.window.size > KEEP or self.window.is_changed():
            self.window.close()
            return
        _idle.append(self.window)
        close_idle(KEEP, MOST_KEPT)


@lru_cache(maxsize=16)
def _lease_type(size: int) -> Any:
    return type("SizedLease", (Lease, ctypes.c_ubyte * size), {})


def lease(fd: int, token: Token, size: int) -> Any:
    """Return the first `size` bytes of a segment as a buffer, which takes over the locked descriptor.

    Raises:
        OSError: it can't be mapped; the descriptor is still the caller's.
    """
    window = _take(token, size) or _Window(fd, size)
    made = _lease_type(size).from_address(window.address)
    made.window = window
    made.fd = fd
    return made


def unlocked() -> int:
    """Return how many bytes are mapped here with nobody reading them."""
    return sum(window.size for window in list(_idle))


def close_idle(keep: int = 0, most: int = 0) -> None:
    """Unmap what nobody reads, the oldest first, but for so many bytes and so many mappings."""
    while _idle and (len(_idle) > most or unlocked() > keep):
        try:
            window = _idle.popleft()
        except IndexError:  # another thread was faster
            return
        window.close()


def _take(token: Token, size: int) -> _Window | None:
    for window in list(_idle):
        try:
            # Taken before it is looked at, or another thread could unmap it under our eyes.
            _idle.remove(window)
        except ValueError:
            continue
        if window.size >= size and window.shows(token):
            return window
        _idle.append(window)
    return None
