"""Code objects: as bytes that keep the names of their files, and what they name.

Cloudpickle writes another name for a file from 3.1.3 on. Owns what `marshal` may be asked to write; how instructions
are read is `rust/python/src/wire/code.rs`'s. Knows nothing of functions, keys or picklers.
"""

from __future__ import annotations

# A worker waits for this before its first task.
import marshal

from graflow_fast._core import global_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

__all__ = ["MARSHAL_VERSION", "code_bytes", "global_names", "has_plain_constants", "names_used", "reduce_code"]

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


def names_used(code: CodeType) -> set[str]:
    """Return all names in code, attributes too: to look at a global too many is cheaper than to tell them apart."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if type(constant) is _CODE:
            found |= names_used(constant)
    return found


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind in _CONSTANTS:
        return True
    if kind in _CONTAINERS:
        return all(map(_is_plain, value))
    return kind is _CODE and has_plain_constants(value)


_CODE = type(code_bytes.__code__)
