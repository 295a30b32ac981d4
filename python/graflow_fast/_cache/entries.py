"""Where results are kept: a file for each, below a directory beside the store of runs, for you alone.

Owns the files: their names, that they are written whole or not at all, and checksums. A file of its own for each
result needs no lock: workers write and read as they like, and damage costs one result. Must not know what is in them.

It is no table of the store's database. A worker would need a connection of its own, and with Python's `sqlite3` the
program would lose the locks that the store's writer holds (`docs/design.md`, "The store of runs").
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from hashlib import blake2b
from pathlib import Path

__all__ = ["DamagedError", "Entries", "directory_of"]

#: Bytes of a value from which on it is a file by itself, named by its content.
LARGE = 1 << 16

#: Seconds after which a result that is used is marked as used.
USED = 60.0

_MARK = b"gfc1"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_HEAD = struct.Struct("<4sIQ")  # mark, checksum, length


class DamagedError(Exception):
    """A file is not as it was written."""


def directory_of(store: str | os.PathLike[str]) -> Path:
    """Return where the results are that belong to a store of runs."""
    path = Path(os.path.abspath(store))
    return path.with_name(f"{path.name}-cache")


class Entries:
    """The files of one directory.

    Args:
        directory: where they are; it is made if it isn't there.

    Raises:
        PermissionError: it belongs to somebody else, or others may write there: what is loaded from it runs as code.
        OSError: it can't be made.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._place = os.fspath(directory) + os.sep
        found = directory.stat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise PermissionError(f"{directory} is not yours alone to write: chmod 700, or another GRAFLOW_FAST_STORE")

    def read(self, group: str, name: str) -> bytes | None:
        """Return what was written, None if nothing was; what is read is marked as used.

        Raises:
            DamagedError: it is not as it was written.
        """
        path = f"{self._place}{group}/{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DamagedError(f"{path}: {error.strerror}") from error
        try:
            found = os.fstat(descriptor)
            data = os.read(descriptor, found.st_size)
            while len(data) < found.st_size and (more := os.read(descriptor, found.st_size - len(data))):
                data += more
        finally:
            os.close(descriptor)
        if time.time() - found.st_mtime > USED:
            _touch(path)
        return _checked(data, path)

    def look(self, group: str, name: str) -> bytes | None:
        """Return what was written without marking it as used; else as `read`."""
        path = f"{self._place}{group}/{name}"
        try:
            with open(path, "rb") as file:
                return _checked(file.read(), path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DamagedError(f"{path}: {error.strerror}") from error

    def write(self, group: str, name: str, data: bytes) -> None:
        """Write something, whole or not at all.

        Raises:
            OSError: it can't be written.
        """
        path = f"{self._place}{group}/{name}"
        beside = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
        try:
            descriptor = os.open(beside, _NEW, 0o600)
        except FileNotFoundError:
            self._make_folders(group)
            descriptor = os.open(beside, _NEW, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(_HEAD.pack(_MARK, zlib.crc32(data), len(data)))
                file.write(data)
            os.rename(beside, path)
        except BaseException:
            _remove(beside)
            raise

    def _make_folders(self, group: str) -> None:
        folder = self.directory
        for each in group.split("/"):
            folder /= each
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, data: bytes) -> str:
        """Write a large value, if it isn't there; return its name."""
        name = blake2b(data, digest_size=20).hexdigest()
        group = f"values/{name[:2]}"
        try:
            is_there = self.look(group, name) is not None
        except DamagedError:
            is_there = False
        if is_there:
            _touch(f"{self._place}{group}/{name}")  # so that nobody takes it for one that nothing names
        else:
            self.write(group, name, data)
        return name

    def value(self, name: str) -> bytes:
        """Return a large value.

        Raises:
            DamagedError: it is gone, or not as it was written.
        """
        found = self.read(f"values/{name[:2]}", name)
        if found is None:
            raise DamagedError(f"{self._place}values/{name[:2]}/{name} is gone")
        return found

    def names(self, group: str) -> list[str]:
        """Return the names in a group, the ones used last first."""
        try:
            found = [each for each in os.scandir(self._place + group) if "." not in each.name and each.is_file()]
        except FileNotFoundError:
            return []
        return [each.name for each in sorted(found, key=lambda each: -each.stat().st_mtime)]


def _checked(data: bytes, path: str) -> bytes:
    if len(data) >= _HEAD.size:
        mark, checksum, length = _HEAD.unpack_from(data)
        content = data[_HEAD.size :]
        if mark == _MARK and length == len(content) and zlib.crc32(content) == checksum:
            return content
    raise DamagedError(f"{path} is damaged")


def _touch(path: str) -> None:
    try:
        os.utime(path)
    except OSError:
        return  # it may have been removed meanwhile; whoever has read it, has it


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
