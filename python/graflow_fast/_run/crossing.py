"""What crosses between processes, and how: values by pickle, definitions once and then by key.

Used on both sides. Owns the pickling rules; knows nothing of pipes, runs or scopes.
"""

from __future__ import annotations

# A worker waits for these before its first task. `pickle` itself imports much more than what it takes from here.
import _pickle as pickle
import marshal
import sys
from _thread import _local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType, ModuleType
    from typing import Any

    from graflow_fast._shared.values import Copies
    from graflow_fast.core.definition import Definition

PROTOCOL = 5

#: Without bytes, which may be large.
_SCALARS = frozenset({int, str, float, bool, type(None)})
#: How bytes start that name shared memory; a pickle starts with 0x80.
SHARED_MARK = 0x01

NONE_BYTES = pickle.dumps(None, protocol=PROTOCOL)


class Finders(_local):
    """How definitions get keys and keys definitions, for each thread: two runs in two threads have tables of their own.

    What is set on the class holds for all threads that have nothing of their own (a worker has one table).
    """

    #: Returns the key of a definition that may be named instead of pickled (None: pickle it).
    find_key: Callable[[Definition], int | None] = staticmethod(lambda definition: None)
    #: Returns the definition that a key names.
    find_definition: Callable[[int], Definition] | None = None


here = Finders()


def definition_of(key: int) -> Definition:
    """Return the definition that ``key`` names here; called when a pickle that names one is loaded."""
    find = here.find_definition
    if find is None:
        raise pickle.UnpicklingError(f"definition {key} was named in a process that knows none")
    return find(key)


def dumps(value: Any, copies: Copies | None = None) -> bytes:
    """Return a value as bytes: plain pickle when it is made of plain scalars, else cloudpickle's rules.

    Large buffers in it go through shared memory; the bytes then name it and hold it (`SharedBytes`). With ``copies``
    a buffer that was sent lately is not sent again.
    """
    kind = type(value)
    if kind in _SCALARS:
        return pickle.dumps(value, protocol=PROTOCOL)
    if kind is dict and len(value) < 32:
        for item in value.values():
            if type(item) not in _SCALARS:
                break
        else:
            if all(type(key) is str for key in value):
                return pickle.dumps(value, protocol=PROTOCOL)
    elif (kind is tuple or kind is list) and len(value) < 32:
        for item in value:
            if type(item) not in _SCALARS:
                break
        else:
            return pickle.dumps(value, protocol=PROTOCOL)
    from graflow_fast._run.pickling import dump

    return dump(value, copies)


def loads(data: bytes) -> Any:
    """Return the value that `dumps` wrote."""
    if data[0] == SHARED_MARK:
        from graflow_fast._shared.values import decode

        return decode(data)
    return pickle.loads(data)


def adopt(data: bytes) -> bytes:
    """Return bytes from another process as bytes that hold the shared memory they name.

    Raises:
        LookupError: that memory is gone, and the process that made it with it.
    """
    if data[0] == SHARED_MARK:
        from graflow_fast._shared.values import adopt

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
    values = sys.modules.get("graflow_fast._shared.values")
    if values is None:  # nothing was ever shared here
        return pickle.dumps(message, protocol=PROTOCOL)
    data, found = values.pack(message)
    held.extend(found)
    return data  # type: ignore[no-any-return]


# --- what `plain_functions` writes is loaded by these


def made_function(code: bytes, module_globals: dict[str, Any]) -> FunctionType:
    """Return a function with that marshalled code; the rest comes with `fill_function`."""
    module_globals["__builtins__"] = __builtins__
    made: FunctionType = _Function(marshal.loads(code), module_globals)
    return made


def fill_function(function: FunctionType, state: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> None:
    """Give a function the globals that it names, its attributes, and what stands in its dictionary."""
    named, attributes, dictionary = state
    function.__globals__.update(named)
    for name, value in attributes.items():
        setattr(function, name, value)
    function.__dict__.update(dictionary)


def module_of(name: str) -> ModuleType:
    """Return the module of that name."""
    __import__(name)
    return sys.modules[name]


_Function: Any = type(module_of)
