"""Plain functions as bytes: those that need nothing of cloudpickle, which takes longer to import than all else.

A function is plain when it captures nothing but modules, classes and functions that can be imported, scalars, and
functions that are plain themselves. What arrives is what cloudpickle would have made of it. All others are left to
cloudpickle, whole: a definition is packed by the one or the other.
"""

from __future__ import annotations

import opcode
import sys
from types import BuiltinFunctionType, CodeType, FunctionType, GenericAlias, ModuleType
from typing import TYPE_CHECKING, Any

from graflow_fast._run import crossing
from graflow_fast._run.importable import is_importable
from graflow_fast._worker.functions import (
    ALIAS,
    ATTRIBUTES,
    ATTRIBUTES_BY_NAME,
    FUNCTION,
    MEMBER,
    MODULE,
    VALUE,
)

if TYPE_CHECKING:
    from graflow_fast._worker.functions import Described, Value

_GLOBAL_OPERATIONS = frozenset(opcode.opmap[name] for name in ("LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL"))
_LOAD_GLOBAL = opcode.opmap["LOAD_GLOBAL"]
#: Its argument has a flag in the lowest bit since Python 3.11.
_LOAD_GLOBAL_SHIFT = 1 if sys.version_info >= (3, 11) else 0
_MODULE_NAMES = ("__package__", "__name__", "__path__", "__file__")
_SCALARS = frozenset((int, float, bool, str, bytes, type(None), type(...)))


def dump(state: dict[str, Any]) -> bytes | None:
    """Return a definition's state as bytes, None when something in it is not plain (or can't be pickled at all)."""
    cloudpickle = sys.modules.get("cloudpickle")
    if cloudpickle is not None and cloudpickle.list_registry_pickle_by_value():
        return None
    fields = {name: value for name, value in state.items() if type(value) in _SCALARS}
    parameters = tuple((each.name, each.required, each.takes_mapping) for each in state["_parameters"])
    if fields.keys() | {"func", "_parameters", "named", "bound_names", "shown"} != state.keys() or state["named"]:
        return None
    try:
        functions = _Functions()
        first = functions.describe(state["func"])
        shown = dict(state["shown"])
        annotations = functions.describe_all(shown.pop("__annotations__", {}))
        content = fields, parameters, first, shown, annotations, tuple(functions.all), tuple(functions.globals)
        return crossing.marshalled(content)
    except Exception:  # cloudpickle knows what to do, or says it
        return None


class _NotPlain(Exception):
    """Something is for cloudpickle."""


class _Functions:
    """The plain functions that one definition needs."""

    def __init__(self) -> None:
        self.all: list[Described | None] = []
        self.globals: list[dict[str, Any]] = []
        self._numbers: dict[int, int] = {}
        self._globals_numbers: dict[int, int] = {}

    def describe(self, value: Any) -> Value:
        """Return what stands for a value."""
        kind = type(value)
        if kind in _SCALARS:
            return VALUE, value
        if kind is tuple and all(type(item) in _SCALARS for item in value):
            return VALUE, value
        if kind is FunctionType and not is_importable(value):
            return FUNCTION, self._number(value)
        if kind is FunctionType or (kind is type and is_importable(value)):
            return MEMBER, (value.__module__, value.__qualname__)
        if kind is BuiltinFunctionType and type(value.__self__) is ModuleType and is_importable(value):
            return MEMBER, (value.__module__, value.__qualname__)
        if kind is ModuleType:
            name: str = vars(value).get("__name__", "__main__")
            # Of a package it depends on the code which of its modules are needed.
            if name != "__main__" and sys.modules.get(name) is value and not hasattr(value, "__path__"):
                return MODULE, name
        if kind is GenericAlias:
            return ALIAS, (self.describe(value.__origin__), tuple(map(self.describe, value.__args__)))
        raise _NotPlain

    def describe_all(self, values: dict[str, Any]) -> dict[str, Value]:
        """Return what stands for values by name."""
        return {name: self.describe(value) for name, value in values.items()}

    def _number(self, function: FunctionType) -> int:
        number = self._numbers.get(id(function))
        if number is None:
            number = self._numbers[id(function)] = len(self.all)
            self.all.append(None)
            self.all[number] = self._described(function)
        return number

    def _described(self, function: FunctionType) -> Described:
        if function.__closure__ is not None:
            raise _NotPlain
        module_globals, code = function.__globals__, function.__code__
        number = self._globals_numbers.get(id(module_globals))
        if number is None:
            number = self._globals_numbers[id(module_globals)] = len(self.globals)
            self.globals.append({name: module_globals[name] for name in _MODULE_NAMES if name in module_globals})
        named = {name: module_globals[name] for name in _global_names(code) if name in module_globals}
        if function.__dict__:
            raise _NotPlain
        attributes = {name: getattr(function, name) for name in ATTRIBUTES}
        by_name = {name: self.describe_all(getattr(function, name) or {}) for name in ATTRIBUTES_BY_NAME}
        return code, number, self.describe_all(named), self.describe_all(attributes), by_name


def _global_names(code: CodeType) -> dict[str, None]:
    """Return the names of the globals that code reads or sets, inner functions included, in order."""
    names: dict[str, None] = {}
    argument = 0
    instructions = code.co_code
    for operation, low in zip(instructions[::2], instructions[1::2], strict=True):
        argument = argument << 8 | low
        if operation == opcode.EXTENDED_ARG:
            continue
        if operation in _GLOBAL_OPERATIONS:
            names[code.co_names[argument >> _LOAD_GLOBAL_SHIFT if operation == _LOAD_GLOBAL else argument]] = None
        argument = 0
    for constant in code.co_consts:
        if type(constant) is CodeType:
            names.update(_global_names(constant))
    return names
