"""Removing results that nobody uses any more, and looking for damage among them.

Owns which files go. A file that goes while somebody asks for it is a miss. Must not know commands.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TypedDict

from graflow_fast._cache.entries import DamagedError, Entries
from graflow_fast._cache.stored import Stored, from_bytes

__all__ = ["CacheCheck", "CacheCleaning", "check", "clean"]

#: Seconds for which a large value stays that no entry names yet, and a file that is being written.
_FRESH = 3600.0

_VALUES = "values"


class CacheCleaning(TypedDict):
    """What was removed, or would be."""

    #: Results.
    removed: int
    #: Bytes of all files.
    before: int
    after: int


class CacheCheck(TypedDict):
    """What was read, and what is wrong with it."""

    results: int
    #: Bytes of all files.
    bytes: int
    #: Files that are not as they were written; the next run writes them anew.
    damaged: list[str]


class _File(NamedTuple):
    path: Path
    group: str
    used: float
    size: int


def clean(
    directory: Path, *, older: float | None = None, max_bytes: int | None = None, dry: bool = True
) -> CacheCleaning:
    """Remove the results that were not used for long, and what belongs to no result.

    Args:
        directory: where they are.
        older: seconds since the last use from which on they go; None (default): all stay.
        max_bytes: those whose last use is longest ago go until no more bytes are left; None (default): all stay.
        dry: only say what would go (default True).

    Raises:
        OSError: they can't be read, or not be removed.
    """
    results, values, rest = _files(directory)
    now, before = time.time(), sum(each.size for each in [*results, *values, *rest])
    entries = Entries(directory)
    results.sort(key=lambda each: each.used)
    #: A large value goes with the last of the results that name it.
    last = {name: each for each in results for name in _values_of(entries, each)}
    cost = {each: each.size for each in results}
    for value in values:
        if (owner := last.get(value.path.name)) is not None:
            cost[owner] += value.size
    gone: dict[_File, None] = {}
    left = before
    for each in results:
        if (older is not None and now - each.used > older) or (max_bytes is not None and left > max_bytes):
            gone[each] = None
            left -= cost[each]
    groups = {each.group for each in results if each not in gone}
    for each in values:
        named_by = last.get(each.path.name)
        if named_by in gone or (named_by is None and now - each.used > _FRESH):
            gone[each] = None
    for each in rest:
        if now - each.used > _FRESH if "." in each.path.name else each.group not in groups:
            gone[each] = None
    if not dry:
        _remove(gone)
    removed = sum(each in gone for each in results)
    return {"removed": removed, "before": before, "after": before - sum(each.size for each in gone)}


def _remove(gone: Iterable[_File]) -> None:
    folders: dict[Path, None] = {}
    for each in gone:
        each.path.unlink(missing_ok=True)
        folders[each.path.parent] = None
    for folder in folders:
        if not any(os.scandir(folder)):
            folder.rmdir()


def check(directory: Path) -> CacheCheck:
    """Read all results and say which are damaged. Nothing is mended.

    Args:
        directory: where they are.

    Raises:
        OSError: they can't be read.
    """
    results, values, rest = _files(directory)
    entries = Entries(directory)
    damaged = []
    for each in [*results, *values, *rest]:
        if "." in each.path.name:
            continue
        try:
            content = entries.look(each.group, each.path.name)
            if each in results and content is not None:
                from_bytes(content)
        except Exception as error:  # whatever loading a damaged one raises
            damaged.append(str(error) if isinstance(error, DamagedError) else f"{each.path}: {error}")
    size = sum(each.size for each in [*results, *values, *rest])
    return {"results": len(results), "bytes": size, "damaged": damaged}


def _files(directory: Path) -> tuple[list[_File], list[_File], list[_File]]:
    """Return the results, the large values, and all else."""
    results: list[_File] = []
    values: list[_File] = []
    rest: list[_File] = []
    for folder, _, names in os.walk(directory):
        group = os.path.relpath(folder, directory)
        for name in names:
            path = Path(folder, name)
            found = path.stat()
            file = _File(path, group, found.st_mtime, found.st_size)
            if group.startswith(_VALUES + os.sep) and "." not in name:
                values.append(file)
            elif "." in name or name.startswith("code-"):
                rest.append(file)
            else:
                results.append(file)
    return results, values, rest


def _values_of(entries: Entries, file: _File) -> list[str]:
    """Return the names of the large values that a result has; none of one that is damaged."""
    try:
        data = entries.look(file.group, file.path.name)
        content = None if data is None else from_bytes(data)
    except Exception:
        return []
    return content.files() if isinstance(content, Stored) else []
