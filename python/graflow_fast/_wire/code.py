"""Code objects: as bytes that keep the names of their files, and what they name.

Cloudpickle writes another name for a file from 3.1.3 on. Owns what `marshal` may be asked to write, and how
instructions are read, for CPython 3.10 to 3.14. Knows nothing of functions, keys or picklers.
"""

from __future__ import annotations

# A worker waits for this before its first task.
import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

#: Without references between equal parts, which depend on who else holds them: the same shall give the same bytes.
MARSHAL_VERSION = 2

#: What the compiler makes constants of, containers and code aside.
_CONSTANTS = frozenset({int, float, complex, bool, str, bytes, type(None), type(...)})
_CONTAINERS = frozenset({tuple, frozenset})


def code_bytes(code: CodeType) -> bytes | None:
    """Return what `marshal.loads` makes a code object from, None when it has constants that no compiler makes."""
    if not has_plain_constants(code):
        return None
    try:
        return marshal.dumps(code, MARSHAL_VERSION)
    except ValueError:  # nested too deeply
        return None


def has_plain_constants(code: CodeType) -> bool:
    """Say whether all constants come back as they were.

    `marshal` takes others, too, but makes bytes of whatever is a buffer.
    """
    return all(map(_is_plain, code.co_consts))


def reduce_code(code: CodeType) -> tuple[Any, ...]:
    """Return a code object reduced for a pickle; for Python 3.10 on."""
    content = code_bytes(code)
    if content is not None:
        return marshal.loads, (content,)
    new_in_311 = (code.co_qualname, code.co_exceptiontable) if hasattr(code, "co_exceptiontable") else None  # type: ignore[attr-defined,unused-ignore]
    return type(code), (
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_nlocals,
        code.co_stacksize,
        code.co_flags,
        code.co_code,
        code.co_consts,
        code.co_names,
        code.co_varnames,
        code.co_filename,
        code.co_name,
        *(new_in_311[:1] if new_in_311 else ()),
        code.co_firstlineno,
        code.co_linetable,
        *(new_in_311[1:] if new_in_311 else ()),
        code.co_freevars,
        code.co_cellvars,
    )


def global_names(code: CodeType) -> dict[str, None]:
    """Return the names of the globals that code may read or set, inner functions and classes included, in order.

    The body of a class looks for a name among its own first, so what it names may be a global or not.
    """
    names: dict[str, None] = {}
    if code.co_names:
        if _operations is None:
            _read_operations()
        _add_names(code, names)
    for constant in code.co_consts:
        if type(constant) is _CODE:
            names.update(global_names(constant))
    return names


def names_used(code: CodeType) -> set[str]:
    """Return all names in code, attributes too: to look at a global too many is cheaper than to tell them apart."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if type(constant) is _CODE:
            found |= names_used(constant)
    return found


def _add_names(code: CodeType, names: dict[str, None]) -> None:
    argument = 0
    instructions = code.co_code
    for operation, low in zip(instructions[::2], instructions[1::2]):  # noqa: B905  # of one length
        argument = argument << 8 | low
        if operation == _extended_argument:
            continue
        shift = _operations.get(operation)  # type: ignore[union-attr]
        if shift is not None:
            name = code.co_names[argument >> shift]
            if operation != _load_name or name != "__annotations__":  # which each class has of its own
                names[name] = None
        argument = 0


def _read_operations() -> None:
    global _operations, _extended_argument, _load_name
    from opcode import opmap

    _extended_argument, _load_name = opmap["EXTENDED_ARG"], opmap["LOAD_NAME"]
    _operations = {opmap[name]: 0 for name in _NAMING if name in opmap}
    if sys.version_info >= (3, 11):  # a flag is in the lowest bit
        _operations[opmap["LOAD_GLOBAL"]] = 1


#: The last two are those of a class's body: the latter from Python 3.12 on, where it has parameters of types.
_NAMING = ("LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
#: Instruction -> by how many bits its argument is shifted; None until somebody asks, for `opcode` is slow to import.
_operations: dict[int, int] | None = None
_extended_argument = _load_name = -1


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind in _CONSTANTS:
        return True
    if kind in _CONTAINERS:
        return all(map(_is_plain, value))
    return kind is _CODE and has_plain_constants(value)


_CODE = type(code_bytes.__code__)
