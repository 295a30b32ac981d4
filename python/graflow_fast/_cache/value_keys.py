"""Keys of values: equal bytes for values that a body can't tell apart, other bytes for all others.

Owns the rule by which each kind of value is written out before it is hashed: a tag of its exact type, its length, and
its content. So 1, True, 1.0, "1", (1,) and [1] differ. Nothing depends on addresses, hash seeds or interned strings.
Must not know tasks, nor where keys are kept. A value that has no content (a lock, a socket) has no key, and no part of
one: `NoKeyError` names it.
"""

from __future__ import annotations

import copyreg
import struct
import sys
from collections.abc import Callable
from enum import Enum
from hashlib import blake2b
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from graflow_fast._cache.large_content import LARGE, digest_of_large

__all__ = ["NoKeyError", "brief_key_of", "key_of"]

#: Bytes of a key.
SIZE = 32

_CODE = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type)


class NoKeyError(Exception):
    """A value has no content that could be hashed.

    Attributes:
        path: where in the value it is, as in ``[0].lock``; kind: the name of its type.
    """

    def __init__(self, path: str, kind: str) -> None:
        super().__init__(path, kind)
        self.path = path
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.path or 'it'} is a {self.kind}, which has no content to make a key of"


def key_of(value: Any, code_of: Callable[[Any], bytes]) -> bytes:
    """Return the key of a value, 32 bytes.

    Args:
        value: the value.
        code_of: returns what stands for a class, a function or a module: its content, or its name and version.

    Raises:
        NoKeyError: the value, or something in it, has no content.
    """
    writer = _Writer(code_of)
    writer.write(value, "")
    return writer.digest()


def brief_key_of(value: Any, code_of: Callable[[Any], bytes]) -> bytes:
    """Return the key of a value; of one that is small and plain what would be hashed, which is as good and cheaper.

    Raises:
        NoKeyError: as `key_of`.
    """
    plain = _PLAIN.get(type(value))
    if plain is not None:
        tag, content = plain(value)
        if len(content) < SIZE:
            return tag + b":" + content  # type: ignore[no-any-return]
    return key_of(value, code_of)


class _Writer:
    """Writes values out into a hash."""

    def __init__(self, code_of: Callable[[Any], bytes], around: dict[int, int] | None = None) -> None:
        self._hash = blake2b(digest_size=SIZE)
        self._code_of = code_of
        #: What is being written: id -> how deep it is, so that a value which holds itself ends.
        self._around: dict[int, int] = {} if around is None else around

    def digest(self) -> bytes:
        return self._hash.digest()

    def _part(self, tag: bytes, content: Any = b"") -> None:
        size = content.nbytes if isinstance(content, memoryview) else len(content)
        self._hash.update(tag + size.to_bytes(8, "little"))
        self._hash.update(content if size < LARGE else digest_of_large(content))

    def _alone(self, value: Any, path: str) -> bytes:
        """Return the key of a value within this one, for things that have no order."""
        other = _Writer(self._code_of, self._around)
        other.write(value, path)
        return other.digest()

    def write(self, value: Any, path: str) -> None:
        """Write a value out; ``path`` says where it is."""
        kind = type(value)
        plain = _PLAIN.get(kind)
        if plain is not None:
            self._part(*plain(value))
            return
        depth = self._around.get(id(value))
        if depth is not None:
            self._part(b"cycle", str(len(self._around) - depth).encode())
            return
        self._around[id(value)] = len(self._around)
        try:
            self._write_whole(value, kind, path)
        except RecursionError:
            raise NoKeyError(path[:60], f"{kind.__name__} that is nested too deeply") from None
        finally:
            del self._around[id(value)]

    def _write_whole(self, value: Any, kind: type, path: str) -> None:
        if kind is tuple or kind is list:
            self._part(b"tuple" if kind is tuple else b"list")
            self._hash.update(len(value).to_bytes(8, "little"))
            for place, item in enumerate(value):
                self.write(item, f"{path}[{place}]")
        elif kind is dict:
            self._write_dict(b"dict", value, path)
        elif kind is MappingProxyType:
            self._write_dict(b"mapping", dict(value), path)
        elif kind is set or kind is frozenset:
            items = sorted(self._alone(item, f"{path}{{...}}") for item in value)
            self._part(b"set" if kind is set else b"frozenset", b"".join(items))
        elif isinstance(value, _CODE):
            self._part(b"code", self._code_of(value))
        elif isinstance(value, Enum):
            self._part(b"enum", self._code_of(kind))
            self.write(value.name, path)
        elif not self._write_foreign(value, kind, path):
            self._write_object(value, kind, path)

    def _write_foreign(self, value: Any, kind: type, path: str) -> bool:
        """Write a value of a package that need not be installed; False for what needs no rule of its own."""
        package = kind.__module__.partition(".")[0]
        if kind.__name__ == "ForwardRef" and package in ("typing", "annotationlib"):
            self._part(b"forward", str(value.__forward_arg__).encode())  # all else is what was found by it so far
            return True
        if package == "numpy":
            return self._write_array(value, kind, path)
        return package == "pandas" and self._write_frame(value, kind, path)

    def _write_dict(self, tag: bytes, value: dict[Any, Any], path: str) -> None:
        self._part(tag)
        self._hash.update(len(value).to_bytes(8, "little"))
        for name, item in value.items():
            self.write(name, f"{path}.keys()")
            self.write(item, f"{path}[{name!r:.40}]")

    def _write_array(self, value: Any, kind: type, path: str) -> bool:
        """Write an array or a number of numpy's; False for what is something else of it."""
        numpy = sys.modules["numpy"]
        if not (kind is numpy.ndarray or isinstance(value, numpy.generic)) or kind is numpy.void:
            return False
        self._part(b"array" if kind is numpy.ndarray else b"number")
        self.write(str(value.dtype.descr if value.dtype.names else value.dtype.str), path)
        self.write(tuple(value.shape), path)
        if value.dtype.hasobject:
            for place, item in enumerate(value.ravel().tolist()):
                self.write(item, f"{path}.ravel()[{place}]")
        else:  # a view of bytes: of the array itself, unless it lies there in another order
            whole = numpy.ascontiguousarray(value).reshape(-1)
            self._part(b"bytes", whole.view(numpy.uint8).data if whole.size else b"")
        return True

    def _write_frame(self, value: Any, kind: type, path: str) -> bool:
        """Write a table, a column or an index of pandas'; False for what is something else of it."""
        pandas = sys.modules["pandas"]
        if kind is pandas.DataFrame:
            self._part(b"frame")
            self.write(value.columns, f"{path}.columns")
            self.write(value.index, f"{path}.index")
            for place in range(value.shape[1]):
                self._write_column(value.iloc[:, place], f"{path}.iloc[:, {place}]")
            self.write(dict(value.attrs), f"{path}.attrs")
        elif kind is pandas.Series:
            self._part(b"series")
            self.write(value.index, f"{path}.index")
            self.write(value.name, f"{path}.name")
            self._write_column(value, path)
            self.write(dict(value.attrs), f"{path}.attrs")
        elif isinstance(value, pandas.Index):
            self._part(b"index")
            self.write(list(value.names), f"{path}.names")
            self._write_column(value, path)
        else:
            return False
        return True

    def _write_column(self, column: Any, path: str) -> None:
        """Write the values of a column, however the table keeps them: equal tables may keep them differently."""
        numpy = sys.modules["numpy"]
        self.write(str(column.dtype), path)
        categories = getattr(column.dtype, "categories", None)
        if categories is not None:
            self.write([list(categories), bool(column.dtype.ordered)], path)
        is_plain = isinstance(column.dtype, numpy.dtype)
        self.write(column.to_numpy() if is_plain else numpy.asarray(column, dtype=object), path)

    def _write_object(self, value: Any, kind: type, path: str) -> None:
        """Write an object: what its class is, and its state as a pickle would have it."""
        reduced: Any
        try:
            reduced = copyreg.dispatch_table[kind](value) if kind in copyreg.dispatch_table else value.__reduce_ex__(4)
        except RecursionError:
            raise
        except Exception as error:
            raise NoKeyError(path, f"{kind.__module__}.{kind.__qualname__}") from error
        self._part(b"object", self._code_of(kind))
        if isinstance(reduced, str):  # the name of something that is there once
            self.write(reduced, path)
            return
        made_by, arguments, state, items, pairs = (tuple(reduced) + (None,) * 4)[:5]
        self.write(made_by, path)
        self.write(arguments, path)
        self._write_state(state, path)
        self.write(None if items is None else list(items), path)
        self.write(None if pairs is None else dict(pairs), path)

    def _write_state(self, state: Any, path: str) -> None:
        """Write what an object holds: attributes by name, since no body sees in which order they were set."""
        if type(state) is tuple and len(state) == 2 and all(part is None or type(part) is dict for part in state):
            self._part(b"slots")
            for part in state:
                self._write_state(part, path)
        elif type(state) is dict and all(type(name) is str for name in state):
            self._part(b"state")
            self._hash.update(len(state).to_bytes(8, "little"))
            for name in sorted(state):
                self.write(name, path)
                self.write(state[name], f"{path}.{name}")
        else:
            self.write(state, path)


def _float(value: float) -> tuple[bytes, bytes]:
    return b"float", b"nan" if value != value else struct.pack("<d", value)


_PLAIN: dict[type, Callable[[Any], tuple[bytes, Any]]] = {
    type(None): lambda value: (b"none", b""),
    type(...): lambda value: (b"ellipsis", b""),
    type(NotImplemented): lambda value: (b"notimplemented", b""),
    bool: lambda value: (b"bool", b"1" if value else b"0"),
    int: lambda value: (b"int", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)),
    float: _float,
    complex: lambda value: (b"complex", _float(value.real)[1] + b"/" + _float(value.imag)[1]),
    str: lambda value: (b"str", value.encode("utf-8", "surrogatepass")),
    bytes: lambda value: (b"bytes", value),
    bytearray: lambda value: (b"bytearray", value),
}
