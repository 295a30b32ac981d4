"""Variables of the program's own modules, as they are now: a worker that imports such a module finds what the program
has set there since.

Owns which variables are told: plain values, small objects of the program's own classes, and functions that the program
has put in the place of others; of classes, plain values and such functions; and which of them are as they were. What a
module makes for itself (connections, locks, large tables) each worker makes for itself, too.
"""

from __future__ import annotations

import marshal
from abc import ABCMeta
from types import FunctionType, ModuleType
from typing import Any

from graflow_fast._places.process.program.modules import program_modules
from graflow_fast._wire import crossing
from graflow_fast._wire.importable import is_importable_module

_SCALARS = frozenset((int, float, complex, bool, str, bytes, type(None)))
_CONTAINERS = frozenset((list, dict, tuple, set, frozenset))
#: A value with more parts or longer texts is a table of the module's.
_MOST_PARTS = 200
_MOST_LENGTH = 10_000
#: Values of these kinds are parts like scalars.
_DATA = frozenset(("Decimal", "Fraction", "Path", "PosixPath", "date", "datetime", "time", "timedelta", "UUID"))

#: How a variable is told: a scalar itself, by `marshal`, by pickle, as what a module has under a name, as a function
#: with what it is called; or that there is none any more, or again what the module has made itself.
SCALAR, MARSHALLED, PICKLED, NAMED, FUNCTION, GONE, ITS_OWN = range(7)

#: By the name of a module: the variables that were ever told of it.
_ever: dict[str, set[str]] = {}

_CLASSES = (type, ABCMeta)
_ABSENT: Any = object()
_functions: dict[int, tuple[FunctionType, tuple[int, Any] | None]] = {}


def variables_state() -> dict[str, dict[str, tuple[int, Any]]]:
    """Return the variables of each of the program's modules: (how it is told, value)."""
    found = {}
    for name, (module, _) in program_modules().items():
        told = _variables_of(name, module)
        ever = _ever.setdefault(name, set())
        for variable in ever - told.keys():
            if (how := _how_it_is_again(module, variable)) is not None:
                told[variable] = how, None
        if told:
            ever.update(told)
            found[name] = told
    return found


def _how_it_is_again(module: ModuleType, variable: str) -> int | None:
    """Return how a variable is told that was told before and is not now; None: as it was told last."""
    class_name, _, name = variable.rpartition(".")
    owner = vars(module).get(class_name) if class_name else module
    if owner is None:
        return None
    value = vars(owner).get(name, _ABSENT)
    if value is _ABSENT:
        return GONE
    if isinstance(value, (FunctionType, type)):
        return ITS_OWN
    return None


def _variables_of(module_name: str, module: ModuleType) -> dict[str, tuple[int, Any]]:
    told: dict[str, tuple[int, Any]] = {}
    for name, value in list(vars(module).items()):
        if name.startswith("__"):
            continue
        kind = type(value)
        if kind in _SCALARS:
            if is_small(value):
                told[name] = SCALAR, value
        elif kind is FunctionType:
            if (described := _function(module_name, value)) is not None:
                told[name] = described
        elif kind in _CLASSES and value.__module__ == module_name:
            _add_attributes(told, module_name, value, name)
        elif isinstance(value, (type, ModuleType)) or not is_small(value):
            continue
        elif (marshalled := _marshalled(value)) is not None:
            told[name] = MARSHALLED, marshalled
        elif (pickled := _pickled(value)) is not None:
            told[name] = PICKLED, pickled
    return told


def _add_attributes(told: dict[str, tuple[int, Any]], module_name: str, kind: type, name: str) -> None:
    """Tell what the program may have set of a class: settings often are one's attributes."""
    for attribute, value in list(vars(kind).items()):
        if attribute.startswith("_"):
            continue
        if type(value) in _SCALARS and is_small(value):
            told[f"{name}.{attribute}"] = SCALAR, value
        elif type(value) is FunctionType and (described := _function(module_name, value)) is not None:
            told[f"{name}.{attribute}"] = described
        elif type(value) in _CONTAINERS and is_small(value) and (marshalled := _marshalled(value)) is not None:
            told[f"{name}.{attribute}"] = MARSHALLED, marshalled


def _function(module_name: str, function: FunctionType) -> tuple[int, Any] | None:
    """Return what stands for a function that comes from elsewhere, None for one of the module's own."""
    home = function.__globals__.get("__name__")
    if home == module_name:
        return None
    is_nested = "<" in function.__qualname__
    if is_importable_module(home) and not is_nested:
        return NAMED, (home, function.__qualname__)
    if is_importable_module(home) and home not in program_modules():
        return None  # what a decorator of some library made
    known = _functions.get(id(function))
    if known is None or known[0] is not function:
        pickled = _pickled(function)
        told = None if pickled is None else (FUNCTION, (function.__module__, function.__qualname__, pickled))
        known = _functions[id(function)] = function, told
    return known[1]


def is_small(value: Any) -> bool:
    """Say whether a value is made of a few scalars and nothing but data."""
    left = [_MOST_PARTS]
    return _is_small(value, left, 0)


def _is_small(value: Any, left: list[int], depth: int) -> bool:
    kind = type(value)
    left[0] -= 1
    if left[0] < 0 or depth > 8:
        return False
    if kind in _SCALARS:
        return kind not in (str, bytes) or len(value) <= _MOST_LENGTH
    if kind in _CONTAINERS:
        if len(value) > left[0]:
            return False
        if kind is dict:
            return all(_is_small(each, left, depth + 1) for pair in value.items() for each in pair)
        return all(_is_small(each, left, depth + 1) for each in value)
    if kind.__name__ in _DATA:
        return True
    module = kind.__module__
    if module != "__main__" and module not in program_modules():
        return False
    attributes = getattr(value, "__dict__", None)
    return attributes is not None and _is_small(dict(attributes), left, depth + 1)


def _marshalled(value: Any) -> Any:
    """Return a value that `marshal` gives back as it is, None for any other."""
    if type(value) not in _CONTAINERS:
        return None
    try:
        data = marshal.dumps(value, 2)
    except ValueError:
        return None
    return data


def _pickled(value: Any) -> bytes | None:
    try:
        return crossing.dumps(value)
    except Exception:
        return None
