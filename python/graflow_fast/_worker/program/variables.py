"""Variables of the program's modules, set as the program has them: now where a module is here, else when it comes.

What is told of a variable is set once; what a body makes of it here afterwards stays until it is told anew.
"""

from __future__ import annotations

import marshal
import sys
from contextlib import suppress
from functools import partial
from typing import Any

from graflow_fast._wire import crossing
from graflow_fast._wire.imports import when_imported

#: How a variable is told; as in `graflow_fast._places.process.program.variables`.
_SCALAR, _MARSHALLED, _PICKLED, _NAMED, _FUNCTION, _GONE, _ITS_OWN = range(7)

_told: dict[str, dict[str, tuple[int, Any]]] = {}
#: What was told of the modules that are here.
_put: dict[str, dict[str, tuple[int, Any]]] = {}
#: What modules and their classes had before it was set: by the owner's address, the owner, and the values by name.
_before: dict[int, tuple[Any, dict[str, Any]]] = {}
_awaited: set[str] = set()
_ABSENT: Any = object()


def put(state: dict[str, dict[str, tuple[int, Any]]] | None) -> None:
    """Set variables that were told."""
    global _told
    _told = state or {}
    for name in _told:
        module = sys.modules.get(name)
        if module is not None:
            _put_module(name, module)
        elif name not in _awaited:
            _awaited.add(name)
            when_imported(name, partial(_put_module, name))


def _put_module(name: str, module: Any) -> None:
    told = _told.get(name, {})
    before = _put.get(name, {})
    for variable, entry in told.items():
        if before.get(variable) != entry:
            with suppress(Exception):  # of a class that has other attributes here
                _put_variable(module, variable, *entry)
    _put[name] = told


def _put_variable(module: Any, path: str, how: int, content: Any) -> None:
    class_name, _, variable = path.rpartition(".")
    owner = getattr(module, class_name) if class_name else module
    now = vars(owner).get(variable, _ABSENT) if class_name else getattr(owner, variable, _ABSENT)
    if how in (_GONE, _ITS_OWN):
        _undo(owner, variable, now, how)
        return
    _, before = _before.setdefault(id(owner), (owner, {}))
    value = _new_value(now, how, content, is_set=before.get(variable, now) is not now)
    if value is not now:
        before.setdefault(variable, now)
        setattr(owner, variable, value)


def _undo(owner: Any, variable: str, now: Any, how: int) -> None:
    """Take away what was set, or put back what was there before."""
    _, before = _before.get(id(owner), (owner, {}))
    was = before.get(variable, now)
    if how == _GONE or was is _ABSENT:
        if now is not _ABSENT:
            delattr(owner, variable)
    elif was is not now:
        setattr(owner, variable, was)


def _new_value(now: Any, how: int, content: Any, is_set: bool) -> Any:
    """Return what a variable is set to; what it is now where that will do, or can be changed to it.

    Args:
        now: what it is; is_set: whether that was told, too.
        how: how it is told; content: as what.
    """
    if how == _SCALAR:
        return content if type(now) is not type(content) or now != content else now
    if how == _FUNCTION:
        name = getattr(now, "__module__", None), getattr(now, "__qualname__", None)
        # The same: a decorator has made it here as there.
        return now if name == content[:2] and not is_set else crossing.loads(content[2])
    if how == _NAMED:
        return _member(*content)
    value: Any
    if how == _MARSHALLED:
        value = marshal.loads(content)
        if type(now) is type(value) and now == value:
            return now
        if type(value) in (dict, list, set) and type(now) is type(value):
            now.clear()  # others may have imported it from there
            (now.extend if type(value) is list else now.update)(value)
            return now
    else:
        value = crossing.loads(content)
        if type(now) is type(value) and _is_equal(now, value):
            return now
    return value


def _is_equal(one: Any, other: Any) -> bool:
    """Say whether two objects have the same attributes, so that the one that is here can stay."""
    mine = getattr(one, "__dict__", None)
    return (
        bool(one == other)
        if mine is None
        else mine == getattr(other, "__dict__", None) and type(one).__eq__ is not None
    )


def _member(module: str, name: str) -> Any:
    found = sys.modules.get(module)
    if found is None:
        __import__(module)
        found = sys.modules[module]
    for part in name.split("."):
        found = getattr(found, part)
    return found
