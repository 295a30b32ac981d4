"""Files that are written whole or not at all, whenever the process or the machine stops.

Owns the steps: a new file beside the old one, its content on the disk, then the old one's name for it. Must not know
what is in the files.
"""

from __future__ import annotations

import contextlib
import os

__all__ = ["make_folder", "write_whole"]


def write_whole(*groups: dict[str, bytes]) -> None:
    """Write files, each in place of what has its name; readable by their owner only.

    No name is given to anything before all contents are on the disk, and those of a group not before those of the
    groups before it have theirs for good: who finds a file of the last group finds all others.

    Args:
        groups: contents by path.

    Raises:
        OSError: the files can't be written. Those of groups that have no name yet are as they were.
    """
    written: list[dict[str, str]] = []
    try:
        for group in groups:
            names: dict[str, str] = {}
            written.append(names)
            for path, content in group.items():
                path = os.path.realpath(path)  # a link stays a link
                folder, name = os.path.split(path)
                temporary = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.tmp")
                names[temporary] = path
                _write(temporary, content)
        for names in written:
            for temporary, path in names.items():
                os.replace(temporary, path)
            for folder in {os.path.dirname(path) for path in names.values()}:
                _sync_folder(folder)
    except BaseException:
        for names in written:
            for temporary in names:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
        raise


def make_folder(path: str) -> None:
    """Make a folder and those around it, for good, where they are not there."""
    path = os.path.abspath(path)
    made = []
    while not os.path.isdir(path):
        made.append(path)
        path = os.path.dirname(path)
    for folder in reversed(made):
        os.makedirs(folder, exist_ok=True)
        _sync_folder(os.path.dirname(folder))


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(path: str) -> None:
    """Have the names in a folder on the disk, where the file system can do that for a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
