"""What items of a map were, in a few bytes each: whether an iterable gives the same ones when it is read anew.

Knows nothing of maps or journals.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from graflow_fast._cache.value_keys import brief_key_of

if TYPE_CHECKING:
    from collections.abc import Container

#: Bytes of a digest; what stands for an item that has no content to compare (a lock, an open file).
SIZE = 4
_UNKNOWN = bytes(SIZE)


def digests(items: list[Any]) -> bytes:
    """Return what the items are now: a body may change them."""
    return b"".join([_digest(item) for item in items])


def first_difference(before: bytes, now: bytes, but_for: Container[int] = ()) -> int | None:
    """Return the position of the first item that is another one, but for some positions; None if there is none."""
    if before == now:
        return None
    for position in range(len(before) // SIZE):
        old, new = (each[position * SIZE : (position + 1) * SIZE] for each in (before, now))
        if old != new and _UNKNOWN not in (old, new) and position not in but_for:
            return position
    return None


def _digest(item: Any) -> bytes:
    try:
        key = brief_key_of(item, _name_of)
    except Exception:  # whatever its class does when it is asked for its content
        return _UNKNOWN
    return (zlib.crc32(key) or 1).to_bytes(SIZE, "little")


def _name_of(code: Any) -> bytes:
    """Return what stands for a class, a function or a module: its name, for what it does may have been repaired."""
    name = getattr(code, "__qualname__", None) or getattr(code, "__name__", "")
    return f"{getattr(code, '__module__', '')}.{name}".encode()
