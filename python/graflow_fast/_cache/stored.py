"""What is kept of one call: its result, and all else that it did, as bytes.

Owns that form, and the packing of values: large ones are files of their own. Must not know tasks.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

from graflow_fast._cache import writing
from graflow_fast._cache.entries import LARGE, DamagedError, Entries

__all__ = ["Asks", "Packed", "Stored", "as_bytes", "from_bytes", "pack", "unpack"]

#: A value: whether any pickle can read it, its bytes, and the name of the file that has them instead.
Packed = tuple[bool, "bytes | None", "str | None"]


class Stored(NamedTuple):
    """One call.

    Attributes:
        base: the key of its code and arguments; made: when, in seconds since the epoch.
        code: the key of its code; arguments: the keys of its arguments by name.
        asked: what it asked of its run, and the keys of the answers.
        result: what it returned; steps: what it wrote and wanted, as in `recording`, with values packed.
        pieces: what it printed, logged and warned.
    """

    base: bytes
    made: float
    code: bytes
    arguments: dict[str, bytes]
    asked: list[tuple[Any, bytes]]
    result: Packed
    steps: list[tuple[Any, ...]]
    pieces: list[tuple[int, Any]]

    def files(self) -> list[str]:
        """Return the names of the large values."""
        packed = [self.result, *(part for step in self.steps for part in step if _is_packed(part))]
        return [each[2] for each in packed if each[2] is not None]


class Asks(NamedTuple):
    """Which questions the calls of one code with the same arguments have asked: each list leads to entries."""

    lists: list[tuple[Any, ...]]


def as_bytes(content: Stored | Asks) -> bytes:
    """Return what a file holds.

    Raises:
        NoKeyError: something that was printed or logged can't be pickled.
    """
    try:
        return pickle.dumps((type(content) is Stored, tuple(content)), protocol=5)
    except Exception as error:
        raise writing.NotWrittenError(f"can't be pickled ({error})", "piece of its output") from error


def from_bytes(data: bytes) -> Stored | Asks:
    """Return what a file holds.

    Raises:
        Exception: it can't be loaded.
    """
    is_stored, fields = pickle.loads(data)
    return Stored(*fields) if is_stored else Asks(*fields)


def pack(value: Any, body: Any, node_named: Any, entries: Entries) -> Packed:
    """Return a value as bytes; a large one is written into a file.

    Raises:
        NoKeyError: it can't be made anew elsewhere.
        OSError: it can't be written.
    """
    data, is_plain = writing.dumps(value, body, node_named)
    return (is_plain, data, None) if len(data) < LARGE else (is_plain, None, entries.keep(data))


def unpack(packed: Packed, body: Any, node: Callable[[str], Any] | None, entries: Entries) -> Any:
    """Return a value, a fresh one each time.

    Raises:
        Exception: it can't be loaded.
    """
    is_plain, data, name = packed
    if data is None:
        if name is None:
            raise DamagedError("a value without content")
        data = entries.value(name)
    return pickle.loads(data) if is_plain else writing.loads(data, body, node)


def _is_packed(part: Any) -> bool:
    return type(part) is tuple and len(part) == 3 and type(part[0]) is bool
