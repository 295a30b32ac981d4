"""Context variables of modules: their values as they are where the run was started, told to workers by name.

Those of the program's own file bring their value along (`graflow_fast._wire.context_variables`).
"""

from __future__ import annotations

import contextvars
import sys
from typing import Any

from graflow_fast._places.process.program.modules import program_modules
from graflow_fast._wire import crossing
from graflow_fast._wire.importable import is_importable_module

#: Those of modules with a way of their own to workers.
_FOREIGN = frozenset(("decimal_context", "numpy_errstate", "numpy_printoptions", "current_workflow"))
_NOWHERE = "", ""

_places: dict[contextvars.ContextVar[Any], tuple[str, str]] = {}


def context_values() -> list[tuple[str, str, bytes]]:
    """Return module and name of each variable that has a value, and its value as bytes; without what can't be sent."""
    found: list[tuple[str, str, bytes]] = []
    for variable, value in contextvars.copy_context().items():
        place = _place_of(variable)
        if place is not _NOWHERE:
            try:
                found.append((*place, crossing.dumps(value)))
            except Exception:  # a connection, a lock: it is a matter of this process
                continue
    return sorted(found)


def _place_of(variable: contextvars.ContextVar[Any]) -> tuple[str, str]:
    if variable.name in _FOREIGN:
        return _NOWHERE
    place = _places.get(variable)
    if place is None:
        place = _places[variable] = _search(variable)
    return place


def _search(variable: contextvars.ContextVar[Any]) -> tuple[str, str]:
    """Look for a variable in the program's modules, then in all."""
    for module in [*program_modules(), *sys.modules.copy()]:
        if module.partition(".")[0] != "graflow_fast":
            for name, value in list(getattr(sys.modules.get(module), "__dict__", {}).items()):
                if value is variable and is_importable_module(module):
                    return module, name
    return _NOWHERE
