"""The program's own modules: which they are, and whether one has been loaded anew since workers may have imported it.

The standard library's and installed packages' are not looked at: they don't change while a program runs.
"""

from __future__ import annotations

import sys
import sysconfig
from types import ModuleType
from typing import Any

from graflow_fast._wire.importable import is_importable_module, variable_of

#: By name: a module of the program, and the spec that it was loaded by, another one after each `importlib.reload`.
_known: dict[str, tuple[ModuleType, Any]] = {}
_generation = 0
#: How many modules there were at the last look, and the newest; and the names of those that aren't the program's.
_seen: tuple[int, str] = (-1, "")
_others: set[str] = set()
_LIBRARY = tuple(
    {path + "/" for key in ("stdlib", "platstdlib", "purelib", "platlib") if (path := sysconfig.get_paths().get(key))}
)


def program_modules() -> dict[str, tuple[ModuleType, Any]]:
    """Return the program's modules by name, each with its spec as it was when it was first seen."""
    global _seen
    seen = len(sys.modules), next(reversed(sys.modules))
    if seen != _seen:
        _seen = seen
        for name, module in sys.modules.copy().items():
            if name not in _known and name not in _others:
                if is_of_program(name, module):
                    _known[name] = module, getattr(module, "__spec__", None)
                else:
                    _others.add(name)
    return _known


def variable_holding(value: Any) -> VariableOf | None:
    """Return which variable of the program's modules an object is, None if it is none: workers make their own.

    Loggers with files and connections are such objects, which can't be copied.
    """
    for name, (module, _) in list(program_modules().items()):
        for variable, held in list(vars(module).items()):
            if held is value:
                return VariableOf(name, variable)
    return None


class VariableOf:
    """Stands in a pickle for what a module has under a name."""

    def __init__(self, module: str, name: str) -> None:
        self._place = module, name

    def __reduce__(self) -> Any:
        return variable_of, self._place


def is_of_program(name: str, module: Any) -> bool:
    """Say whether a module is one that the program's author may have written, and that workers import by its name."""
    if name.partition(".")[0] in _OWN or type(module) is not ModuleType:
        return False
    file = getattr(module, "__file__", None)
    if type(file) is not str or file.startswith("<"):
        return False
    if file.startswith(_LIBRARY) or "site-packages" in file or "dist-packages" in file:
        return False
    return is_importable_module(name)


def generation() -> int:
    """Return a number that is another one after a module of the program was loaded anew: workers have an older one."""
    global _generation
    found = False
    for name, (module, spec) in list(program_modules().items()):
        now = sys.modules.get(name)
        if now is None:
            del _known[name]
            found = True
        elif now is not module or getattr(now, "__spec__", None) is not spec:
            _known[name] = now, getattr(now, "__spec__", None)
            found = True
    _generation += found
    return _generation


_OWN = frozenset(("graflow_fast", "graflow"))
