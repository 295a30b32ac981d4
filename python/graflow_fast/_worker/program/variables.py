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
_SCALAR, _MARSHALLED, _PICKLED, _NAMED, _FUNCTION = range(5)

_told: dict[str, dict[str, tuple[int, Any]]] = {}
#: What was told of the modules that are here.
_put: dict[str, dict[str, tuple[int, Any]]] = {}
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


def _put_variable(module: Any, variable: str, how: int, content: Any) -> None:
    now = getattr(module, variable, _ABSENT)
    if how == _SCALAR:
        if type(now) is not type(content) or now != content:
            setattr(module, variable, content)
        return
    if how == _FUNCTION:
        name = getattr(now, "__module__", None), getattr(now, "__qualname__", None)
        if name == content[:2]:
            return  # a decorator has made it here as there
        value = crossing.loads(content[2])
    elif how == _NAMED:
        value = _member(*content)
    elif how == _MARSHALLED:
        value = marshal.loads(content)
        if type(now) is type(value) and now == value:
            return
        if type(value) in (dict, list, set) and type(now) is type(value):
            now.clear()  # others may have imported it from there
            (now.extend if type(value) is list else now.update)(value)
            return
    else:
        value = crossing.loads(content)
        if type(now) is type(value) and _is_equal(now, value):
            return
    if now is not value:
        setattr(module, variable, value)


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
