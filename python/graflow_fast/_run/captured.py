"""What a function captures, and whether that can change while nobody hears of it. Knows nothing of keys or pickles."""

from __future__ import annotations

# A worker waits for these before its first task.
import sys
import types

from graflow_fast._run.importable import is_importable, is_sent_by_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    #: What global names are bound to.
    Bindings = dict[str, Any]

#: Stands for a global that is not there: the name is a builtin's, or an attribute's.
_ABSENT = object()


def fixed_bindings(func: Any) -> Bindings | None:
    """Return what a function captures, if that can only change by binding a name anew; else None.

    That is so for what crosses by its name alone: importable modules, classes and functions. All else crosses by value.
    """
    code = getattr(func, "__code__", None)
    if code is None or func.__closure__ or func.__defaults__ or func.__kwdefaults__:
        return None
    bindings = {name: func.__globals__.get(name, _ABSENT) for name in names_used(code)}
    return bindings if all(value is _ABSENT or _crosses_by_name(value) for value in bindings.values()) else None


def still_hold(bindings: Bindings, func: Any) -> bool:
    """Say whether the names are bound to what they were."""
    get = func.__globals__.get
    return all(get(name, _ABSENT) is value for name, value in bindings.items())


def names_used(code: types.CodeType) -> set[str]:
    """Return all names in a body, attributes too: to look at a global too many is cheaper than to tell them apart."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= names_used(constant)
    return found


def _crosses_by_name(value: Any) -> bool:
    """Say whether workers import a value, so what crosses is its name."""
    if isinstance(value, types.ModuleType):
        name = value.__name__
        return name != "__main__" and sys.modules.get(name) is value and not is_sent_by_value(name)
    if not isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
        return False
    if not isinstance(getattr(value, "__self__", None), (types.ModuleType, type(None))):
        return False  # a method of some object, which crosses with it
    return is_importable(value)
