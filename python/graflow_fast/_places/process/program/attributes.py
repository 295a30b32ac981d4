"""Attributes of modules that are not the program's own, and that a function's code names: a program may have set them.

``time.sleep = fake``, say, or a setting of a library. Such modules have too many variables to look at all of them, so
only what the code itself names is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from graflow_fast._places.process.program.modules import program_modules
from graflow_fast._wire.importable import is_importable_module

#: What these have is a matter of each process.
_OF_EACH_PROCESS = frozenset(("sys", "os", "builtins", "posix", "signal", "threading", "multiprocessing", "logging"))
_SCALARS = frozenset((int, float, complex, bool, str, bytes, type(None)))


def attributes_named(code: CodeType, values: Iterable[Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield (variables of a module, name) for all attributes that a code may name of the modules among these values."""
    modules = [value for value in values if type(value) is ModuleType and _may_be_set(value)]
    if modules:
        names = _names_in(code)
        for module in modules:
            for name in names:
                yield vars(module), name


def is_set_by_program(value: Any) -> bool:
    """Say whether an attribute of a module may be something that the program has put there: a number, its function."""
    kind = type(value)
    if kind is FunctionType:
        return not is_importable_module(value.__globals__.get("__name__"))
    return kind in _SCALARS


def _may_be_set(module: ModuleType) -> bool:
    name = vars(module).get("__name__")
    return (
        is_importable_module(name)
        and type(name) is str
        and name not in _OF_EACH_PROCESS
        and name.partition(".")[0] != "graflow_fast"
        and name not in program_modules()  # whose variables are told in full
    )


def _names_in(code: CodeType) -> list[str]:
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if type(constant) is CodeType:
            names.update(dict.fromkeys(_names_in(constant)))
    return [name for name in names if not name.startswith("__")]
