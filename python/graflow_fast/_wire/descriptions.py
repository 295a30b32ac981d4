"""What stands for a value without a pickle, if anything does: see `graflow_fast._wire.functions`.

Owns which values are plain: scalars, what can be imported where it arrives, types made of these. Knows no parts: who
has them says what stands for all others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import BuiltinFunctionType, CodeType, FunctionType, GenericAlias, ModuleType
from typing import TYPE_CHECKING, Any

from graflow_fast._wire.code import code_bytes, global_names
from graflow_fast._wire.functions import ALIAS, MEMBER, MODULE, VALUE
from graflow_fast._wire.importable import is_importable, is_sent_by_value
from graflow_fast._wire.submodules import submodules_named

if TYPE_CHECKING:
    from graflow_fast._wire.functions import Value
    from graflow_fast.core.definition import Definition

SCALARS = frozenset((int, float, bool, str, bytes, type(None), type(...)))


def describe(value: Any, code: CodeType, other: Callable[[Any], Value]) -> Value:
    """Return what stands for a value that ``code`` names; ``other`` is asked about what is not plain."""
    kind = type(value)
    if kind in SCALARS or (kind is tuple and are_plain(value)):
        return VALUE, value
    if kind is ModuleType:
        name: str = vars(value).get("__name__", "__main__")
        if name != "__main__" and sys.modules.get(name) is value and not is_sent_by_value(name):
            return MODULE, (name, *[module.__name__ for module in submodules_named(code, (value,))])
    elif kind is GenericAlias:  # Python 3.10 says that it is a type, too
        parts = tuple([describe(part, code, other) for part in value.__args__])
        return ALIAS, (describe(value.__origin__, code, other), parts)
    elif kind is FunctionType or isinstance(value, type):
        if is_importable(value):
            return MEMBER, (value.__module__, value.__qualname__)
    elif kind is BuiltinFunctionType and type(value.__self__) is ModuleType and is_importable(value):
        return MEMBER, (value.__module__, value.__qualname__)
    return other(value)


def are_plain(values: tuple[Any, ...]) -> bool:
    """Say whether all are scalars, or tuples of such."""
    for value in values:
        kind = type(value)
        if kind not in SCALARS and (kind is not tuple or not are_plain(value)):
            return False
    return True


def annotations_of(function: FunctionType) -> dict[str, Any]:
    """Return a function's annotations, none if they name what only type checkers know (Python 3.14)."""
    try:
        return function.__annotations__ or {}
    except Exception:
        return {}


def is_plain(definition: Definition) -> bool:
    """Say whether a definition crosses without a pickle, with all that its function names."""
    todo = [definition.func]
    seen: dict[int, Any] = {}

    def other(value: Any) -> Value:
        if type(value) is not FunctionType:
            raise _NotPlain
        todo.append(value)
        return VALUE, None

    try:
        while todo:
            function = todo.pop()
            if id(function) in seen:
                continue
            seen[id(function)] = function
            if is_importable(function):
                continue
            if type(function) is not FunctionType or function.__dict__ or code_bytes(function.__code__) is None:
                raise _NotPlain
            own = own_values(function)
            if own is None or not are_plain(own):
                raise _NotPlain
            code, module_globals = function.__code__, function.__globals__
            named = [module_globals[name] for name in global_names(code) if name in module_globals]
            for value in (*named, *annotations_of(function).values()):
                describe(value, code, other)
    except _NotPlain:
        return False
    return definition.retry_policy is None


def own_values(function: FunctionType) -> tuple[Any, ...] | None:
    """Return all values of cells and defaults, None when a cell is empty."""
    try:
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:
        return None
    return (*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())


class _NotPlain(Exception):
    """Something must be pickled."""
