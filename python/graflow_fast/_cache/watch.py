"""What must be as it was for the keys of some code to hold, so that they need not be found out anew for each call.

Owns what is looked at: what names stand for, by identity, and the content of values that can change. It is complete for
what the keys were made of, but for attributes of modules that are not the user's.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from operator import is_
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

from graflow_fast._cache.value_keys import NoKeyError, key_of

__all__ = ["FIXED", "NOTED", "Watch"]

#: Values that nobody can change.
FIXED = frozenset(
    {int, str, float, bool, bytes, complex, type(None), datetime.date, datetime.datetime, datetime.timedelta,
     decimal.Decimal, type(...)}
)  # fmt: skip

#: Attributes of a class that say nothing of what it does: where it stands, and what is remembered there later.
NOTED = frozenset(
    (
        "__annotations_cache__", "__dict__", "__doc__", "__firstlineno__", "__module__", "__qualname__",
        "__slotnames__", "__static_attributes__", "__weakref__",
    )
)  # fmt: skip

_CODE = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type)
_MISSING: Any = object()


class Watch:
    """What was seen while keys were made."""

    def __init__(self, code_of: Callable[[Any], bytes]) -> None:
        self._code_of = code_of
        self._bindings: list[tuple[dict[str, Any], str, Any]] = []
        self._cells: list[tuple[CellType, Any]] = []
        self._functions: list[tuple[FunctionType, Any, Any, Any]] = []
        self._classes: list[tuple[type, dict[str, Any]]] = []
        self._contents: list[tuple[Any, bytes]] = []

    def holds(self) -> bool:
        """Say whether all is as it was."""
        for variables, name, value in self._bindings:
            if variables.get(name, _MISSING) is not value:
                return False
        for cell, content in self._cells:
            if _content(cell) is not content:
                return False
        for function, code, defaults, named in self._functions:
            if function.__code__ is not code or function.__defaults__ is not defaults:
                return False
            if function.__kwdefaults__ is not named:
                return False
        for kind, seen in self._classes:
            now = vars(kind)
            if len(now) == len(seen) and all(map(is_, now.values(), seen.values())):
                continue
            counts = {name: value for name, value in now.items() if name not in NOTED}
            before = {name: value for name, value in seen.items() if name not in NOTED}
            if counts.keys() != before.keys() or not all(value is before[name] for name, value in counts.items()):
                return False
        return all(self._same(value, key) for value, key in self._contents)

    def changed(self) -> str | None:
        """Return what is another value than before, for people; None if nothing is."""
        for variables, name, value in self._bindings:
            if variables.get(name, _MISSING) is not value:
                return f"the variable '{name}' of {variables.get('__name__', 'its module')}"
        if any(_content(cell) is not content for cell, content in self._cells):
            return "a variable of the function around it"
        for value, key in self._contents:
            if not self._same(value, key):
                return f"a {type(value).__name__} that it captures"
        return None if self.holds() else "code that it uses"

    def _same(self, value: Any, key: bytes) -> bool:
        try:
            return key_of(value, self._code_of) == key
        except NoKeyError:
            return False

    # --- what is seen

    def binding(self, variables: dict[str, Any], name: str, value: Any) -> None:
        """Note what a name stands for."""
        self._bindings.append((variables, name, value))

    def cell(self, cell: CellType, content: Any) -> None:
        """Note what a variable of an enclosing function holds."""
        self._cells.append((cell, content))

    def function(self, function: FunctionType) -> None:
        """Note what a function is made of."""
        self._functions.append((function, function.__code__, function.__defaults__, function.__kwdefaults__))

    def attributes_of(self, kind: type) -> None:
        """Note what a class has."""
        self._classes.append((kind, dict(vars(kind))))

    def content(self, value: Any, key: bytes) -> None:
        """Note the key of a value, if its content may change."""
        if type(value) is tuple and all(type(each) in FIXED for each in value):
            return
        if type(value) not in FIXED and not isinstance(value, _CODE):
            self._contents.append((value, key))


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return "empty"
