"""Which modules of a package a function needs, when it names the package alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import CodeType, ModuleType
from typing import Any

from graflow_fast._wire.code import names_used


def submodules_named(code: CodeType, values: Iterable[Any]) -> list[ModuleType]:
    """Return the imported modules of packages among the values that code names, inner functions and classes included.

    Nothing but ``import package.module`` says which of them a body needs, and who names the package alone gets no more.
    """
    packages = [value for value in values if isinstance(value, ModuleType) and hasattr(value, "__path__")]
    if not packages:
        return []
    names = names_used(code)
    found = []
    for package in packages:
        start = f"{package.__name__}."
        for name, module in list(sys.modules.items()):
            if name.startswith(start) and module is not None and names.issuperset(name[len(start) :].split(".")):
                found.append(module)
    return found
