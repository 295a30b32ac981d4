"""The pickler of what is more than plain scalars: cloudpickle's rules, definitions by key, large buffers beside it.

Imported when it is first needed, for cloudpickle is slow to import.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

from graflow_fast._run import by_value, crossing
from graflow_fast.core.definition import Definition

if TYPE_CHECKING:
    from graflow_fast._shared.values import Copies

#: Buffers below this are not even asked about.
_SMALL = 4096


class CrossingPickler(by_value.Pickler):
    """Cloudpickle, but a known definition crosses as its key."""

    def reducer_override(self, obj: Any) -> Any:
        """Name known definitions; leave the rest to cloudpickle."""
        kind = type(obj)
        if kind is Definition:
            key = crossing.here.find_key(obj)
            if key is not None:
                return crossing.definition_of, (key,)
        elif kind.__name__ == "array" and kind.__module__ == "array" and len(obj) * obj.itemsize >= _SMALL:
            return _array, (obj.typecode, pickle.PickleBuffer(obj))
        return super().reducer_override(obj)


def dump(value: Any, copies: Copies | None) -> bytes:
    """Return a value as bytes; see `crossing.dumps`."""
    large: list[memoryview] = []
    least = 0

    def keep_out(buffer: pickle.PickleBuffer) -> bool:
        """Say whether a buffer stays in the pickle; take it if not."""
        nonlocal least
        raw = buffer.raw()
        if raw.nbytes < _SMALL:
            return True
        if not least:
            from graflow_fast._shared.values import least_bytes

            least = least_bytes()
        if raw.nbytes < least:
            return True
        large.append(raw)
        return False

    kind = type(value)
    given = value
    if kind is dict and copies is not None and (packed := copies.repeated(value)) is not None:
        return packed
    if kind is bytes or kind is bytearray:
        if len(value) < _SMALL:
            return pickle.dumps(value, protocol=crossing.PROTOCOL)
        value = _Raw(value)
    elif kind is dict and any(type(item) in (bytes, bytearray) and len(item) >= _SMALL for item in value.values()):
        value = {
            key: _Raw(item) if type(item) in (bytes, bytearray) and len(item) >= _SMALL else item
            for key, item in value.items()
        }
    out = io.BytesIO()
    CrossingPickler(out, protocol=crossing.PROTOCOL, buffer_callback=keep_out).dump(value)
    if not large:
        return out.getvalue()
    from graflow_fast._shared.values import encode

    data = encode(out.getvalue(), large, copies)
    if kind is dict and copies is not None:
        copies.remember(given, data)
    return data


def dump_definition(state: dict[str, Any]) -> bytes:
    """Return what a definition is made of as bytes, without shared memory."""
    out = io.BytesIO()
    CrossingPickler(out, protocol=crossing.PROTOCOL).dump(state)
    return out.getvalue()


def try_to_dump(value: Any) -> None:
    """Pickle a value for nothing.

    Raises:
        Exception: it can't be pickled; whatever its parts raise.
    """
    CrossingPickler(io.BytesIO(), protocol=crossing.PROTOCOL, buffer_callback=lambda buffer: False).dump(value)


class _Raw:
    """Stands for bytes in a pickle, so that they can stay beside it; becomes bytes again when loaded."""

    __slots__ = ("content",)

    def __init__(self, content: bytes | bytearray) -> None:
        self.content = content

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self.content), (pickle.PickleBuffer(self.content),)


def _array(typecode: str, content: Any) -> Any:
    """Return an array of the standard library with that content."""
    from array import array

    made = array(typecode)
    made.frombytes(content)
    return made
