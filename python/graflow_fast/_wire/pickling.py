"""The pickler of what is more than plain scalars: cloudpickle's rules, definitions by key, large buffers beside it.

Imported when it is first needed, for cloudpickle is slow to import.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import cloudpickle

from graflow_fast._core import pack_plain
from graflow_fast._wire import by_value, crossing
from graflow_fast._wire.descriptions import annotations_of
from graflow_fast._wire.exception_pickling import PlainPickler, reduce_exception
from graflow_fast._wire.functions import SHOWN, function_at, function_of, set_function_state
from graflow_fast._wire.importable import is_importable, is_sent_by_value
from graflow_fast.core.definition import Definition

if TYPE_CHECKING:
    from graflow_fast._wire.shared.values import Copies


class Names(Protocol):
    """Says how what crosses by itself is named in a part."""

    def of_class(self, kind: type) -> int | None:
        """Return a class's number, None when it crosses otherwise."""

    def of_definition(self, definition: Definition) -> int:
        """Return a definition's number."""

    def of_function(self, function: FunctionType) -> int | None:
        """Return a function's number, None when it crosses with what names it."""

    def of_template(self, function: FunctionType) -> int | None:
        """Return the number of a function's template, None when its code can't cross by itself."""


#: Buffers below this are not even asked about.
_SMALL = 4096


class CrossingPickler(by_value.Pickler):
    """Cloudpickle, but known definitions and the program's own classes cross as their keys."""

    def reducer_override(self, obj: Any) -> Any:
        """Name known definitions and classes; leave the rest to cloudpickle."""
        kind = type(obj)
        if isinstance(obj, type):
            if (number := crossing.number_of_class(obj)) is not None:
                return crossing.part_of, (number,)
        elif kind is Definition:
            key = crossing.here.find_key(obj)
            if key is not None:
                return crossing.definition_of, (key,)
        elif kind.__name__ == "array" and kind.__module__ == "array" and len(obj) * obj.itemsize >= _SMALL:
            return _array, (obj.typecode, pickle.PickleBuffer(obj))
        elif issubclass(kind, BaseException):
            return reduce_exception(obj) or NotImplemented
        elif obj is crossing.part_of or (kind is not FunctionType and kind.__name__ not in by_value.RULES):
            return NotImplemented  # as cloudpickle says of all that is neither class nor function
        return super().reducer_override(obj)


class PartPickler(by_value.Pickler):
    """What functions and classes are made of as bytes: the parts of it that cross by themselves are named.

    ``names`` says of definitions, classes and functions under which number they cross.
    """

    def __init__(self, file: io.BytesIO, names: Names) -> None:
        super().__init__(file, protocol=crossing.PROTOCOL)
        self._names = names

    def reducer_override(self, obj: Any) -> Any:
        """Name what crosses by itself; leave the rest to cloudpickle."""
        if isinstance(obj, type):
            if (number := self._names.of_class(obj)) is not None:
                return crossing.part_of, (number,)
        elif type(obj) is Definition:
            return crossing.definition_of, (self._names.of_definition(obj),)
        elif type(obj) is FunctionType and not by_value.has_rule(obj) and not is_importable(obj):
            if (number := self._names.of_function(obj)) is not None:
                return crossing.part_of, (number,)
            if (number := self._names.of_template(obj)) is not None:
                return _reduce_function(obj, function_of, number)
        elif type(obj) is MethodType and getattr(obj.__self__, obj.__name__, None) == obj:
            return getattr, (obj.__self__, obj.__name__)  # its function comes with its class
        return super().reducer_override(obj)


#: Where the functions and classes are that pickles of tasks name, for which nobody need ask cloudpickle.
_OWN_MODULES = frozenset((function_at.__module__, Definition.__module__, "graflow_fast.core.task"))


class DirectivePickler(CrossingPickler):
    """What a body asked for, which the coordinator loads itself: functions are named by where it has their code."""

    def reducer_override(self, obj: Any) -> Any:
        """Name the code of functions that code of the coordinator's made; leave the rest to `CrossingPickler`."""
        kind = type(obj)
        if kind is FunctionType and (place := crossing.place_of_code(obj)) is not None:
            return _reduce_function(obj, function_at, *place)
        if (kind is FunctionType or kind is type) and obj.__module__ in _OWN_MODULES and "." not in obj.__qualname__:
            return NotImplemented  # by its name
        return super().reducer_override(obj)


def _reduce_function(function: FunctionType, make: Callable[..., FunctionType], *place: Any) -> tuple[Any, ...]:
    """Return a function as where its code is and what makes it another one than others of that code."""
    cells: list[tuple[Any, ...]] = []
    for cell in function.__closure__ or ():
        try:
            cells.append((cell.cell_contents,))
        except ValueError:  # not bound yet
            cells.append(())
    state = {
        "cells": tuple(cells),
        "attributes": dict(function.__dict__),
        "__defaults__": function.__defaults__,
        "__kwdefaults__": function.__kwdefaults__,
        "__annotations__": annotations_of(function),
        **{name: getattr(function, name) for name in SHOWN},
    }
    return make, (*place, len(cells)), state, None, None, set_function_state


def _is_own(value: Any) -> bool:
    """Say whether a value, or one in it, is of a class of the program's own, as far as is easily seen."""
    kind = type(value)
    if kind is list or kind is tuple:
        kinds = map(type, value[:1])
    else:
        kinds = map(type, value.values() if kind is dict else (value,))
    return any(kind.__module__ == "__main__" or "<locals>" in kind.__qualname__ for kind in kinds)


def _dump_plain(value: Any, keep_out: Callable[[pickle.PickleBuffer], bool]) -> bytes | None:
    """Return what `pickle` alone makes of a value, None when there may be something in it that our rules are for.

    Whatever it names by module, it names in full: so what can't be imported where it arrives is easily found.
    """
    if cloudpickle.list_registry_pickle_by_value():
        return None
    try:
        if type(value).__module__ in _OF_SCALARS:
            data = pickle.dumps(value, protocol=crossing.PROTOCOL)
        else:
            pickler = _unused.pop() if _unused else _ByName()
            data = pickler.dumped(value, keep_out)
            if len(data) <= _LARGEST_KEPT:
                _unused.append(pickler)
    except Exception:  # cloudpickle knows what to do, or says it
        return None
    ruled = b"__main__" in data or b"__mp_main__" in data or b"graflow_fast" in data or b"_array_reconstructor" in data
    return None if ruled else data


#: Modules whose instances have nothing in them that our rules are for.
_OF_SCALARS = frozenset(("datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid"))
#: Classes that workers can import and whose instances `pickle` takes as they are.
_plain: set[type] = set()


#: Picklers that nobody uses for now: to make one takes as long as a small value.
_unused: list[_ByName] = []
_LARGEST_KEPT = 1 << 16


class _ByName(PlainPickler):
    """`pickle` itself for what workers can import: anything else ends it."""

    def __init__(self) -> None:
        self._file = io.BytesIO()
        self._keeps_out: Any = None
        super().__init__(self._file, protocol=crossing.PROTOCOL, buffer_callback=lambda raw: self._keeps_out(raw))

    def dumped(self, value: Any, keep_out: Callable[[pickle.PickleBuffer], bool]) -> bytes:
        """Return a value as bytes. Of no use any more once that has failed."""
        self._keeps_out = keep_out
        self.dump(value)
        data = self._file.getvalue()
        self._keeps_out = None
        self.clear_memo()
        self._file.seek(0)
        self._file.truncate()
        return data

    def reducer_override(self, obj: Any) -> Any:
        """Look at where an object's class, or the class or function that it is, comes from."""
        kind = type(obj)
        if kind in _plain:
            return NotImplemented
        names_itself = kind is FunctionType or issubclass(kind, type)
        if is_sent_by_value(obj.__module__ if names_itself else kind.__module__):
            raise pickle.PicklingError
        if not names_itself and not issubclass(kind, BaseException) and is_importable(kind):
            _plain.add(kind)
        return super().reducer_override(obj)


class _Beside:
    """Large buffers of a value, which go through shared memory beside its pickle."""

    def __init__(self) -> None:
        self.buffers: list[memoryview] = []
        self._least = 0

    def stays(self, buffer: pickle.PickleBuffer) -> bool:
        """Say whether a buffer stays in the pickle; take it if not."""
        raw = buffer.raw()
        if raw.nbytes < _SMALL:
            return True
        if not self._least:
            from graflow_fast._wire.shared.values import least_bytes

            self._least = least_bytes()
        if raw.nbytes < self._least:
            return True
        self.buffers.append(raw)
        return False

    def encode(self, data: bytes, copies: Copies | None) -> bytes:
        """Return a pickle as bytes that name its buffers."""
        from graflow_fast._wire.shared.values import encode

        return encode(data, self.buffers, copies)


def dump(value: Any, copies: Copies | None) -> bytes:
    """Return a value as bytes; see `crossing.dumps`."""
    beside = _Beside()
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
    data = pack_plain(value) if _is_own(value) else _dump_plain(value, beside.stays)
    if data is None:
        beside.buffers.clear()
        out = io.BytesIO()
        CrossingPickler(out, protocol=crossing.PROTOCOL, buffer_callback=beside.stays).dump(value)
        data = out.getvalue()
    if not beside.buffers:
        return data
    data = beside.encode(data, copies)
    if kind is dict and copies is not None:
        copies.remember(given, data)
    return data


def dump_directive(value: Any) -> bytes:
    """Return a task or what describes a fragment as bytes for the coordinator."""
    beside = _Beside()
    out = io.BytesIO()
    DirectivePickler(out, protocol=crossing.PROTOCOL, buffer_callback=beside.stays).dump(value)
    data = out.getvalue()
    return beside.encode(data, None) if beside.buffers else data


class _SharingPickler(PartPickler):
    """The same, where some objects belong to other parts, too."""

    def __init__(self, file: io.BytesIO, names: Names, given: Sequence[Any]) -> None:
        super().__init__(file, names)
        self._given = {id(obj): number for number, obj in enumerate(given)}

    def persistent_id(self, obj: Any) -> int | None:
        """Name an object that belongs to another part."""
        return self._given.get(id(obj))


class _SharingUnpickler(pickle.Unpickler):
    """Takes some objects from other parts."""

    def __init__(self, file: io.BytesIO, given: Sequence[Any]) -> None:
        super().__init__(file)
        self._given = given

    def persistent_load(self, number: int) -> Any:
        """Return the object that belongs to another part."""
        return self._given[number]


def dump_part(value: Any, names: Names, given: Sequence[Any] = ()) -> tuple[bytes, dict[int, tuple[int, Any]]]:
    """Return a part as bytes, without shared memory, and what it is made of: (number, object) by address.

    What is ``given`` belongs to other parts, too, and stays one object where it arrives.
    """
    out = io.BytesIO()
    pickler = _SharingPickler(out, names, given) if given else PartPickler(out, names)
    pickler.dump(value)
    return out.getvalue(), pickler.memo.copy()


def load_part(data: bytes, given: Sequence[Any] = ()) -> tuple[Any, dict[int, Any]]:
    """Return what `dump_part` wrote, and what it is made of by number."""
    file = io.BytesIO(data)
    unpickler = _SharingUnpickler(file, given) if given else pickle.Unpickler(file)
    return unpickler.load(), unpickler.memo.copy()


def reduce_class(kind: type) -> tuple[Any, ...] | None:
    """Return what makes a class empty, with which arguments, its state, and what sets it; None: not by value."""
    reduced = by_value.Pickler(io.BytesIO()).reducer_override(kind)
    if type(reduced) is not tuple or len(reduced) != 6:
        return None
    make, arguments, state, _, _, set_state = reduced
    slots = vars(kind).get("__slots__")
    if slots is not None and NamedTuple not in getattr(kind, "__orig_bases__", ()):
        # Cloudpickle makes a class without them, whose objects have another state than those of the original.
        arguments = tuple([{**each, "__slots__": slots} if type(each) is dict else each for each in arguments])
    return make, arguments, state, set_state


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
