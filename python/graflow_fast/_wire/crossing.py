"""What crosses between processes, and how: values by pickle, definitions once and then by key.

Used on both sides. Owns the pickling rules; knows nothing of pipes, runs or scopes.
"""

from __future__ import annotations

# A worker waits for these before its first task, so `pickle` is imported when something is pickled.
import marshal
import sys
from _thread import _local

from graflow_fast._wire.code import MARSHAL_VERSION, has_plain_constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any, Protocol

    from graflow_fast._wire.functions import Template
    from graflow_fast._wire.shared.values import Copies
    from graflow_fast.core.definition import Definition
else:
    Protocol = object

PROTOCOL = 5

#: The kinds of pieces of output: what was printed, to standard output and error, logged, and warned of.
STDOUT, STDERR, LOG, WARNING = range(4)
#: A piece that is a place: what the worker's descriptor 1 or 2 was written, up to a position, comes here.
WRITTEN_STDOUT, WRITTEN_STDERR = 5, 6
#: Where the result of a cached task came from, as `_body.origins.note` takes it.
CACHED = 7

#: Without bytes, which may be large.
_SCALARS = frozenset({int, str, float, bool, type(None)})
_CONTAINERS = frozenset({dict, list, tuple})
#: More are not looked at one by one.
_FEW = 64
#: How bytes start that name shared memory; a pickle starts with 0x80.
SHARED_MARK = 0x01

#: How bytes start that `marshalled` made.
MARSHAL_MARK = 0x03
#: `pickle.dumps(None)`
NONE_BYTES = b"\x80\x05N."


class Finders(_local):
    """How definitions get keys, for each thread: two runs in two threads have tables of their own.

    What is set on the class holds for all threads that have nothing of their own (a worker has one table).
    """

    #: Returns the key of a definition that may be named instead of pickled (None: pickle it).
    find_key: Callable[[Definition], int | None] = staticmethod(lambda definition: None)


here = Finders()

#: The definitions and classes that this process has given keys to, for all its pools: a key means one thing wherever it
#: is met. What it has to say is asked for anew each time, for it is held by nobody here.
known: dict[int, Callable[[], Any]] = {}


class Received(Protocol):
    """What this process was sent by the process that it works for."""

    def definition(self, key: int) -> Definition:
        """Return the definition with that key."""

    def part(self, number: int) -> Any:
        """Return the part with that number: a class, a function, a value."""

    def template(self, number: int) -> Template:
        """Return the template with that number."""


received: Received | None = None


def _cross_by_value(kind: type) -> int | None:
    return None


def _nowhere(function: FunctionType) -> None:
    return None


#: Returns the number under which a class crosses (None: by its name, or by value).
number_of_class: Callable[[type], int | None] = _cross_by_value

#: Returns where a function's code stands in code that this process was sent: (number of a template, path), or None.
place_of_code: Callable[[FunctionType], tuple[int, tuple[int, ...]] | None] = _nowhere


def definition_of(key: int) -> Definition:
    """Return the definition that ``key`` names here; called when a pickle that names one is loaded.

    Raises:
        LookupError: no such definition lives here.
    """
    return _found(key, "definition", "definition")  # type: ignore[no-any-return]


def part_of(number: int) -> Any:
    """Return the class (in a worker also the function or the value) with that number; called when a pickle is loaded.

    Raises:
        LookupError: it does not live here.
    """
    return _found(number, "class", "part")


def template_of(number: int) -> Template:
    """Return the template with that number; called when a pickle is loaded.

    Raises:
        LookupError: it does not live here.
    """
    return _found(number, "code", "template")  # type: ignore[no-any-return]


def _found(number: int, kind: str, question: str) -> Any:
    """Return what has a number here, else what the process that this one works for has sent under it."""
    reference = known.get(number)
    found = None if reference is None else reference()
    if found is None:
        if received is None:
            raise LookupError(f"{kind} {number} is not known here any more")
        found = getattr(received, question)(number)
    return found


def dumps(value: Any, copies: Copies | None = None) -> bytes:
    """Return a value as bytes: plain pickle when it is made of a few plain scalars, else cloudpickle's rules.

    Large buffers in it go through shared memory; the bytes then name it and hold it (`SharedBytes`). With ``copies``
    a buffer that was sent lately is not sent again.
    """
    kind = type(value)
    if kind in _SCALARS:
        return _dumps(value, PROTOCOL)
    if kind in _CONTAINERS and _is_simple(value, _FEW):
        return _dumps(value, PROTOCOL)
    from graflow_fast._wire.pickling import dump

    return dump(value, copies)


def _is_simple(value: Any, most: int) -> int:
    """Say whether a container has at most so many scalars in it, and nothing but these; 0 if not, else 1 + the rest."""
    if type(value) is dict:
        for key in value:
            if type(key) not in _SCALARS:
                return 0
        value = value.values()
    most -= len(value)
    if most < 0:
        return 0
    for item in value:
        kind = type(item)
        if kind not in _SCALARS:
            if kind not in _CONTAINERS or not (left := _is_simple(item, most)):
                return 0
            most = left - 1
    return most + 1


def loads(data: bytes) -> Any:
    """Return the value that `dumps` or `marshalled` wrote."""
    mark = data[0]
    if mark == SHARED_MARK:
        from graflow_fast._wire.shared.values import decode

        return decode(data)
    if mark == MARSHAL_MARK:
        return marshal.loads(memoryview(data)[1:])
    return _loads(data)


def marshalled(message: Any) -> bytes | None:
    """Return a message of scalars, bytes, code, and tuples and dictionaries of these as bytes, None for any other.

    Neither side needs `pickle` for it, which takes longer to import than all else that a plain task needs.
    """
    if not _is_plain(message):
        return None
    try:
        return bytes((MARSHAL_MARK,)) + marshal.dumps(message, MARSHAL_VERSION)
    except ValueError:  # code with something newer, or nested too deeply
        return None


def marshalled_plain(message: Any) -> bytes:
    """Return a message that is known to be made of nothing but what `marshalled` takes as bytes."""
    return _MARSHAL_PREFIX + marshal.dumps(message, MARSHAL_VERSION)


def _is_plain(value: Any) -> bool:
    """Say whether a value comes back as it was: `marshal` takes others, too, but makes something else of them."""
    kind = type(value)
    if kind is tuple:
        return all(map(_is_plain, value))
    if kind is dict:
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return kind in _MARSHALLED or (kind is _CODE and has_plain_constants(value))


def _dumps(value: Any, protocol: int) -> bytes:
    """Pickle; the first call puts `pickle.dumps` in the place of this function."""
    global _dumps
    from pickle import dumps as _dumps

    return _dumps(value, protocol)


def _loads(data: bytes) -> Any:
    """Unpickle; the first call puts `pickle.loads` in the place of this function."""
    global _loads
    from pickle import loads as _loads

    return _loads(data)


def adopt(data: bytes) -> bytes:
    """Return bytes from another process as bytes that hold the shared memory they name.

    Raises:
        LookupError: that memory is gone, and the process that made it with it.
    """
    if data[0] == SHARED_MARK:
        from graflow_fast._wire.shared.values import adopt

        return adopt(data)
    return data


def adopt_all(message: Any) -> Any:
    """Return a message with all bytes in it as `adopt` returns them.

    Raises:
        LookupError: as `adopt`.
    """
    kind = type(message)
    if kind is bytes:
        return adopt(message) if message else message
    if kind is tuple or kind is list:
        return kind(adopt_all(item) for item in message)
    return message


def pack(message: Any, held: list[Any]) -> bytes:
    """Return the pickle of a message with values in it as bytes; what must be held meanwhile is added to ``held``."""
    values = sys.modules.get("graflow_fast._wire.shared.values")
    if values is None:  # nothing was ever shared here
        return _dumps(message, PROTOCOL)
    data, found = values.pack(message)
    held.extend(found)
    return data  # type: ignore[no-any-return]


_MARSHAL_PREFIX = bytes((MARSHAL_MARK,))
_MARSHALLED = _SCALARS | {bytes, type(...)}
_CODE = type(_is_plain.__code__)
