"""Entries of a journal as bytes: values that any later process can load, and entries longer than a record may be.

Owns the format. Knows neither runs nor what an entry means.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from graflow_fast._core import PlainJournal
from graflow_fast._messages import message_of
from graflow_fast._wire.exception_pickling import PlainPickler
from graflow_fast.channels._packed import Packed
from graflow_fast.exceptions import RemoteTaskError, TaskSerializationError

if TYPE_CHECKING:
    from graflow_fast._run.journal.large import LargeValues

#: Returns what makes a pickler of a kind for a file.
Maker = Callable[[type[pickle.Pickler]], Callable[[io.BytesIO], Any]]

#: An entry: what it is, then what that kind has.
Entry: TypeAlias = tuple[Any, ...]
#: An entry as it was read: that of a plain step is bytes until somebody looks, for there may be millions.
Found: TypeAlias = "Entry | bytes"

#: What stands in an entry for a result that is not written down.
NOT_KEPT = ()

#: Kinds of entries: something was done to a live key; a key became live.
DONE, TOUCHED = "live", "touched"

#: Bytes of an entry that are more than this are a file of their own.
LARGE = 64 * 1024
#: So much of an entry goes into one record; a longer entry is several.
LONGEST_PART = 512 * 1024
#: The first byte of a record: whether an entry begins there, and whether it ends there; whether it is that of a plain
#: step, whose form is `_core.PlainJournal`'s.
_BEGINS, _ENDS, _PLAIN = 1, 2, 4

#: Types of values that can't change.
SCALARS = frozenset({int, float, bool, str, bytes, type(None)})


def load(data: bytes) -> Any:
    """Return the value of bytes that `dumped` made."""
    return pickle.loads(data)


def dumped(value: Any, task_id: str, what: str) -> bytes:
    """Return a value as bytes that another process of this program can load.

    Raises:
        TaskSerializationError: something in it can't be pickled.
    """
    return pickled(value, task_id, what, lambda kind: partial(kind, protocol=5))


def pickled(value: Any, task_id: str, what: str, maker: Maker) -> bytes:
    """Return a value as bytes that another process of this program can load; ``maker`` says how picklers are made.

    What the program defines goes by name where it has one there, so that a resumed run has today's classes.

    Raises:
        TaskSerializationError: something in it can't be pickled.
    """
    content = io.BytesIO()
    try:
        maker(PlainPickler)(content).dump(value)
        return content.getvalue()
    except Exception:
        from graflow_fast._wire import by_value

        content = io.BytesIO()
        try:
            maker(by_value.Pickler)(content).dump(value)
        except Exception as error:
            raise TaskSerializationError(task_id, f"{what} (which a durable run keeps)", cause=error) from error
        return content.getvalue()


def by_value(value: Any, task_id: str, what: str) -> Any:
    """Return a value as a channel keeps it whose readers shall never share it: as bytes, unless it can't change.

    Raises:
        TaskSerializationError: something in it can't be pickled.
    """
    if type(value) in SCALARS or (type(value) is Packed and value.load is load):
        return value
    return Packed(dumped(value, task_id, what), load)


def portable(value: Any) -> Any:
    """Return what stands in an entry for a value that `by_value` returned."""
    return (value.data,) if type(value) is Packed else value


def restored(value: Any) -> Any:
    """Return what `portable` stood in for."""
    return Packed(value[0], load) if type(value) is tuple else value


def dumped_error(error: Exception, task_id: str) -> bytes:
    """Return an exception as bytes that `load_error` can load, whatever becomes of its class."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    told = f"{type(error).__module__}.{type(error).__qualname__}", message_of(error), trace
    try:
        data = dumped(error, task_id, "its exception")
        load(data)
    except Exception:
        data = b""
    return pickle.dumps((data, task_id, told), protocol=5)


def load_error(kept: bytes) -> Exception:
    """Return an exception that `dumped_error` kept, or what stands in for one that can't be loaded here."""
    data, task_id, (name, message, trace) = pickle.loads(kept)
    if data:
        with contextlib.suppress(Exception):
            error: Exception = load(data)
            return error
    return RemoteTaskError(task_id, name, message, trace)


def records(entry: Entry, values: LargeValues) -> Iterator[bytes]:
    """Return an entry as records; what is large in it is among these values."""
    data = pickle.dumps(entry, protocol=5)
    if len(data) > LARGE:
        content = io.BytesIO()
        _Naming(content, values).dump(entry)
        data = content.getvalue()
    last = max(0, len(data) - 1) // LONGEST_PART
    for part in range(last + 1):
        mark = (_BEGINS if part == 0 else 0) | (_ENDS if part == last else 0)
        yield bytes((mark,)) + data[part * LONGEST_PART : (part + 1) * LONGEST_PART]


def opened(entry: Found) -> Entry:
    """Return an entry that was read."""
    return PlainJournal.entry(entry) if isinstance(entry, bytes) else entry


class _Naming(pickle.Pickler):
    """Pickles an entry whose large parts have names."""

    def __init__(self, file: io.BytesIO, values: LargeValues) -> None:
        super().__init__(file, protocol=5)
        self._values = values

    def persistent_id(self, obj: Any) -> str | None:
        return self._values.put(obj) if type(obj) is bytes and len(obj) > LARGE else None


class _Loading(pickle.Unpickler):
    def __init__(self, data: bytes, values: LargeValues) -> None:
        super().__init__(io.BytesIO(data))
        self._values = values

    def persistent_load(self, name: str) -> bytes:
        """Return what has a name."""
        return self._values.get(name)


def entries(found: Iterable[bytes], values: LargeValues) -> Iterator[Found]:
    """Return the entries of records; of one whose writer was killed in between, nothing."""
    parts: list[bytes] = []
    for record in found:
        if record[0] & _PLAIN:
            parts.clear()
            yield record
            continue
        if record[0] & _BEGINS:
            parts.clear()
        parts.append(record[1:])
        if record[0] & _ENDS:
            yield _Loading(b"".join(parts), values).load()
            parts.clear()
