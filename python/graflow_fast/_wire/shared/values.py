"""Values whose large buffers are in shared memory: as bytes that name segments, and back.

Such bytes are: a mark, the length of a table, the table, the pickle, and the buffers that found no place in shared
memory. The table says which segments there are and where each buffer is. An ordinary pickle never starts with the mark.

Owns that format, and who keeps the segments that bytes name: `SharedBytes` does, while they are in this process.
"""

from __future__ import annotations

import marshal
import os
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import ref

from graflow_fast._wire.shared import segments
from graflow_fast._wire.shared.memory_files import DATA, Gone, is_out_of_descriptors
from graflow_fast._wire.shared.segments import Segment

__all__ = ["MARK", "Copies", "Gone", "SharedBytes", "adopt", "decode", "encode", "least_bytes", "pack"]

MARK = 0x01
_PREFIX = 5
_ALIGN = 16
_PLAIN = frozenset({int, str, float, bool, type(None), bytes, bytearray})
#: Below this a pipe is faster.
_LEAST = 256 << 10


class Apart:
    """How many pools there are with workers on other machines, which can't open what is in memory here."""

    pools = 0


def least_bytes() -> int:
    """Return from which size on buffers go through shared memory."""
    text = os.environ.get("GRAFLOW_FAST_SHM_MIN")
    return int(text) if text and text.isdigit() else _LEAST


class SharedBytes(bytes):
    """Bytes that name segments, and hold them. Its pickle holds the content itself, for files; see `pack`."""

    segments: tuple[Segment, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        message = _Message(self)
        return bytes, (_join(message.stream, (), list(message.buffers())),)


class Copies:
    """Buffers that are in shared memory already and have not changed since: an array given to many tasks crosses once.

    Good while no code of the user can run here; then it must be cleared.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[memoryview, ref[Segment], int]] = {}
        #: Held so that the next user finds them: what was used last, and what was used again.
        self._last: tuple[Segment, ...] = ()
        self._popular: dict[tuple[int, int], Segment] = {}
        self._arguments: dict[str, Any] = {}
        self._packed = b""

    def __bool__(self) -> bool:
        return bool(self._known)

    def clear(self) -> None:
        """Forget all: buffers may change from here on."""
        self._known.clear()
        self._popular.clear()
        self._last = ()
        self._arguments, self._packed = {}, b""

    def repeated(self, arguments: dict[str, Any]) -> bytes | None:
        """Return the bytes of the last arguments if these are the same objects, as they are for member after member."""
        last = self._arguments
        if not last or len(last) != len(arguments):
            return None
        for name, value in arguments.items():
            if name not in last or last[name] is not value:
                return None
        return self._packed

    def remember(self, arguments: dict[str, Any], packed: bytes) -> None:
        """Remember the bytes of arguments that are nothing but scalars and buffers."""
        if all(type(value) in _PLAIN or hasattr(type(value), "__array_interface__") for value in arguments.values()):
            self._arguments, self._packed = arguments, packed

    def find(self, buffer: memoryview) -> tuple[Segment, int] | None:
        """Return where a buffer is already."""
        key = _identity(buffer)
        found = self._known.get(key)
        if found is None:
            return None
        segment = found[1]()
        if segment is None:
            del self._known[key]
            return None
        self._popular[key] = segment
        return segment, found[2]

    def note(self, buffer: memoryview, segment: Segment, offset: int) -> None:
        """Remember where a buffer was put; the buffer is kept, so its identity stays its own."""
        self._known[_identity(buffer)] = (buffer, ref(segment), offset)

    def used(self, held: tuple[Segment, ...]) -> None:
        """Keep what was just used until something else is."""
        self._last = held
        dead = (
            [key for key, (_, segment, _) in self._known.items() if segment() is None] if len(self._known) > 8 else []
        )
        for key in dead:
            del self._known[key]


def encode(stream: bytes, buffers: list[memoryview], copies: Copies | None = None) -> bytes:
    """Return a pickle and its out-of-band buffers as one: in shared memory if possible, else in the bytes."""
    if Apart.pools:
        return _join(stream, (), buffers)
    places: list[tuple[Segment, int] | None] = [None] * len(buffers)
    if copies is not None:
        places = [copies.find(buffer) for buffer in buffers]
    for index, buffer in enumerate(buffers):
        if places[index] is None and (address := _address(buffer)) is not None:
            places[index] = place = segments.held_at(address, buffer.nbytes)
            if place is not None and copies is not None:
                copies.note(buffer, *place)
    missing = [index for index, place in enumerate(places) if place is None]
    if missing:
        parts = [buffers[index] for index in missing]
        try:
            made = segments.create(parts)
        except OSError as error:
            made = None
            total = sum(part.nbytes for part in parts)
            warnings.warn(
                f"no shared memory for {total} bytes ({error.strerror or error}): they are copied through a pipe. "
                "GRAFLOW_FAST_SHM_DIR can name a folder with more room",
                RuntimeWarning,
                stacklevel=2,
            )
        if made is not None:
            segment, offsets = made
            for index, offset in zip(missing, offsets, strict=True):
                places[index] = (segment, offset)
                if copies is not None:
                    copies.note(buffers[index], segment, offset)
    held = tuple({id(place[0]): place[0] for place in places if place is not None}.values())
    if copies is not None:
        copies.used(held)
    data = _join(
        stream,
        held,
        [buffer if place is None else (*place, buffer.nbytes) for place, buffer in zip(places, buffers, strict=True)],
    )
    if not held:
        return data
    shared = SharedBytes(data)
    shared.segments = held
    return shared


def decode(data: bytes) -> Any:
    """Return the value; its large buffers are the shared memory itself, or copies of what is changed there.

    Raises:
        Gone: a segment is not there any more.
    """
    message = _Message(data)
    return pickle.loads(message.stream, buffers=message.buffers())


def adopt(data: bytes) -> bytes:
    """Hold the segments that bytes from another process name, so that he needs to no longer.

    Raises:
        Gone: a segment is not there any more.
    """
    message = _Message(data)
    if segments.arena.open + len(message.named) > segments.MOST_OPEN:
        return _join(message.stream, (), list(message.buffers(segments.read)))
    try:
        held = tuple(segments.adopt(*name) for name in message.named)
    except OSError as error:
        if not is_out_of_descriptors(error):
            raise
        return _join(message.stream, (), list(message.buffers(segments.read_with_spare)))
    if not held:
        return data
    along = message.inline()
    shared = SharedBytes(
        _join(
            message.stream,
            held,
            [
                along[number] if index is None else (held[index], offset, length)
                for number, (index, offset, length) in enumerate(message.placed)
            ],
        )
    )
    shared.segments = held
    return shared


class _Packer(pickle.Pickler):
    """Pickles a message to another process: bytes that name segments go as they are."""

    held: list[SharedBytes]

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is SharedBytes and Apart.pools:
            return obj.__reduce__()
        if type(obj) is SharedBytes:
            self.held.append(obj)
            return bytes, (obj[:],)
        return NotImplemented


def pack(message: Any) -> tuple[bytes, list[SharedBytes]]:
    """Return the pickle of a message, and what must be held until it has been dealt with."""
    import io

    out = io.BytesIO()
    packer = _Packer(out, protocol=5)
    packer.held = []
    packer.dump(message)
    return out.getvalue(), packer.held


#: Where a buffer is: segment, offset and length; or itself, to come along.
_Place = tuple[Segment, int, int] | memoryview


def _join(stream: bytes, held: Sequence[Segment], places: Sequence[_Place]) -> bytes:
    index = {id(segment): number for number, segment in enumerate(held)}
    inline: list[memoryview] = []
    at = 0
    placed: list[tuple[int | None, int, int]] = []
    for place in places:
        if isinstance(place, memoryview):
            placed.append((None, at, place.nbytes))
            inline.append(place)
            at += _padded(place.nbytes)
        else:
            placed.append((index[id(place[0])], place[1], place[2]))
    table = marshal.dumps(([(segment.path, segment.token, segment.size) for segment in held], placed, len(stream)))
    parts: list[Any] = [bytes((MARK,)), len(table).to_bytes(_PREFIX - 1, "little"), table, stream]
    if inline:
        length = _PREFIX + len(table) + len(stream)
        parts.append(bytes(_padded(length) - length))
        for buffer in inline:
            parts += (buffer, bytes(_padded(buffer.nbytes) - buffer.nbytes))
    return b"".join(parts)


class _Message:
    """Such bytes, taken apart.

    Attributes:
        named: the segments as (path, token, size).
        placed: the buffers as (which segment or None, offset, length).
        stream: the pickle.
    """

    __slots__ = ("_data", "_start", "named", "placed", "stream")

    def __init__(self, data: bytes) -> None:
        end = _PREFIX + int.from_bytes(data[1:_PREFIX], "little")
        self.named: list[tuple[str, tuple[int, int], int]]
        self.placed: list[tuple[int | None, int, int]]
        self.named, self.placed, length = marshal.loads(data[_PREFIX:end])
        self.stream = data[end : end + length]
        self._data = data
        self._start = _padded(end + length)

    def buffers(self, load: Callable[..., Any] = segments.mapping) -> Iterator[memoryview]:
        """Return all buffers; what is written to one is seen by nobody else."""
        loaded = [memoryview(load(*name)) for name in self.named]
        along = self.inline()
        for number, (index, offset, length) in enumerate(self.placed):
            if index is None:
                yield memoryview(bytearray(along[number]))
            else:
                at = DATA + offset
                yield loaded[index][at : at + length]

    def inline(self) -> dict[int, memoryview]:
        """Return the buffers that came along, by their number."""
        whole = memoryview(self._data)
        return {
            number: whole[self._start + offset : self._start + offset + length].toreadonly()
            for number, (index, offset, length) in enumerate(self.placed)
            if index is None
        }


def _padded(length: int) -> int:
    return -(-length // _ALIGN) * _ALIGN


def _identity(buffer: memoryview) -> tuple[int, int]:
    """Return what distinguishes a buffer from others that are alive: its address if it can be known, else its owner."""
    address = _address(buffer)
    return id(buffer.obj) if address is None else address, buffer.nbytes


def _address(buffer: memoryview) -> int | None:
    interface = getattr(buffer.obj, "__array_interface__", None)
    return None if interface is None else interface["data"][0]
