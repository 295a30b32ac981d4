"""The pickler of plain functions: those that need nothing of cloudpickle, which takes longer to import than all else.

A function is plain when it captures nothing but modules, classes and functions that can be imported, scalars and
containers of these, and functions that are plain themselves. What arrives is what cloudpickle would have made of it;
everything else is left to cloudpickle, whole, so no pickle is made by both.
"""

from __future__ import annotations

import _pickle
import io
import marshal
import opcode
import sys
from types import BuiltinFunctionType, CodeType, FunctionType, GenericAlias, ModuleType
from typing import Any

from graflow_fast._run import crossing
from graflow_fast.core.definition import Definition, Parameter

#: Without references between equal parts, which depend on who else holds them: the same code shall give the same bytes.
_MARSHAL_VERSION = 2
_GLOBAL_OPERATIONS = frozenset(opcode.opmap[name] for name in ("LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL"))
_LOAD_GLOBAL = opcode.opmap["LOAD_GLOBAL"]
#: Its argument has a flag in the lowest bit since Python 3.11.
_LOAD_GLOBAL_SHIFT = 1 if sys.version_info >= (3, 11) else 0
_ATTRIBUTES = ("__name__", "__qualname__", "__annotations__", "__kwdefaults__", "__defaults__", "__module__", "__doc__")
#: What `pickle` itself does right, as long as their parts are plain.
_BY_THEMSELVES = frozenset((GenericAlias, Parameter))
_MODULE_NAMES = ("__package__", "__name__", "__path__", "__file__")


def dump(value: Any) -> bytes | None:
    """Return a value as bytes, None when something in it is not plain (or can't be pickled at all)."""
    cloudpickle = sys.modules.get("cloudpickle")
    if cloudpickle is not None and cloudpickle.list_registry_pickle_by_value():
        return None
    out = io.BytesIO()
    try:
        _PlainPickler(out, crossing.PROTOCOL).dump(value)
    except Exception:  # cloudpickle knows what to do, or says it
        return None
    return out.getvalue()


class _NotPlain(Exception):
    """Something is for cloudpickle."""


class _PlainPickler(_pickle.Pickler):
    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        #: By the identity of the globals of functions: those they will have, which they share as they do here.
        self._globals: dict[int, dict[str, Any]] = {}

    def reducer_override(self, obj: Any) -> Any:
        """Say how anything but the builtin scalars and containers is pickled."""
        kind = type(obj)
        if kind is FunctionType:
            return NotImplemented if _is_importable(obj) else self._reduce_function(obj)
        if kind is Definition:
            key = crossing.here.find_key(obj)
            if key is not None:
                return crossing.definition_of, (key,)
        elif kind is ModuleType:
            # Of a package it depends on the code which of its modules are needed.
            name: str = vars(obj).get("__name__", "__main__")
            if name != "__main__" and sys.modules.get(name) is obj and not hasattr(obj, "__path__"):
                return crossing.module_of, (name,)
        elif kind is type:
            if _is_importable(obj):
                return NotImplemented
        elif kind in _BY_THEMSELVES or (kind is BuiltinFunctionType and type(obj.__self__) is ModuleType):
            return NotImplemented
        raise _NotPlain

    def _reduce_function(self, function: FunctionType) -> Any:
        if function.__closure__ is not None:
            raise _NotPlain
        module_globals = function.__globals__
        base = self._globals.get(id(module_globals))
        if base is None:
            base = {name: module_globals[name] for name in _MODULE_NAMES if name in module_globals}
            self._globals[id(module_globals)] = base
        code = function.__code__
        named = {name: module_globals[name] for name in _global_names(code) if name in module_globals}
        attributes = {name: getattr(function, name) for name in _ATTRIBUTES}
        state = named, attributes, function.__dict__
        made = marshal.dumps(code, _MARSHAL_VERSION), base
        return crossing.made_function, made, state, None, None, crossing.fill_function


def _is_importable(obj: Any) -> bool:
    """Say whether a function or class is what its module has under its name."""
    name = obj.__module__
    if name == "__main__" or type(name) is not str:
        return False
    found: Any = sys.modules.get(name)
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


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
