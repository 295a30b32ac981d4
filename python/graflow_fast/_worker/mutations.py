"""Noticing that a body changed a variable it captured: nobody outside this process would see that change.

Owns which variables of a function are watched (decided once for each definition) and how a change is recognised. What a
task may keep to itself (modules, loggers, random generators, caches of functions, classes) is not watched.
"""

from __future__ import annotations

import os
import sys
from _collections import deque  # type: ignore[import-not-found]

from graflow_fast._run.captured import names_used

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

#: What to do about it: warn, error or ignore.
MODE = os.environ.get("GRAFLOW_FAST_LOST_MUTATION", "warn").lower()

#: A variable whose fingerprint is longer than this many bytes, or that has more items than this, is only measured.
_MOST_BYTES = 64 * 1024
_MOST_ITEMS = 1000
#: Helper functions that are looked into.
_MOST_FUNCTIONS = 20

_CONTAINERS = (list, dict, set, bytearray, deque)
_FUNCTION: Any = type(lambda: None)
_CODE: Any = type((lambda: None).__code__)
_MODULE: Any = type(sys)
_ABSENT: Any = object()


class Watch:
    """The variables of one body that it could change, and how they were after the last look."""

    __slots__ = ("_large", "_seen", "_variables")

    def __init__(self, variables: list[tuple[str, Any]]) -> None:
        #: (name, the cell or the dictionary that holds it)
        self._variables = variables
        self._large: set[int] = set()
        self._seen = [self._look(index) for index in range(len(variables))]

    def changed(self) -> list[str]:
        """Return the names of the variables that have changed since the last call."""
        names = []
        for index, (name, _) in enumerate(self._variables):
            now = self._look(index)
            value, content = self._seen[index]
            if now[0] is not value or now[1] != content:
                self._seen[index] = now
                names.append(name)
        return names

    def _look(self, index: int) -> tuple[Any, Any]:
        """Return the value of a variable, which stands for its identity, and what stands for its content."""
        name, holder = self._variables[index]
        if type(holder) is dict:
            value = holder.get(name, _ABSENT)
        else:
            try:
                value = holder.cell_contents
            except ValueError:
                value = _ABSENT
        if not _is_mutable(value):
            return value, None
        graph = _graph_of(value)
        if graph is not None:
            return value, (len(graph.nodes), len(graph.get_edges()))
        size = len(value) if _is_container(value) else 0
        if size > _MOST_ITEMS or index in self._large:
            return value, size
        import pickle

        try:
            content = pickle.dumps(value, protocol=5)
        except Exception:  # it lives in a module here, so it never had to cross
            return value, size
        if len(content) > _MOST_BYTES:
            self._large.add(index)
            return value, size
        return value, content


def watch(function: Any) -> Watch | None:
    """Return the watch of a body, None when it captures nothing that it could change."""
    if MODE == "ignore":
        return None
    variables: dict[tuple[str, int], tuple[str, Any]] = {}
    todo = [getattr(function, "__func__", function)]
    seen: set[int] = set()
    while todo and len(seen) < _MOST_FUNCTIONS:
        current = todo.pop()
        if not isinstance(current, _FUNCTION) or id(current) in seen:
            continue
        seen.add(id(current))
        rebound = _names(current.__code__, {"STORE_GLOBAL", "DELETE_GLOBAL"})
        for name in names_used(current.__code__) | rebound:
            value = current.__globals__.get(name, _ABSENT)
            if name in rebound or _is_mutable(value):
                variables[name, id(current.__globals__)] = (name, current.__globals__)
            elif _is_helper(value, current):
                todo.append(value)
        rebound = _names(current.__code__, {"STORE_DEREF", "DELETE_DEREF"})
        for name, cell in zip(current.__code__.co_freevars, current.__closure__ or (), strict=False):
            try:
                value = cell.cell_contents
            except ValueError:
                value = _ABSENT
            if name in rebound or _is_mutable(value):
                variables[name, id(cell)] = (name, cell)
            elif isinstance(value, _FUNCTION):
                todo.append(value)
        for name, value in _defaults(current).items():
            if _is_mutable(value):
                variables[name, id(value)] = (name, {name: value})
    return Watch(list(variables.values())) if variables else None


def _names(code: CodeType, operations: set[str]) -> set[str]:
    found: set[str] = set()
    if code.co_names or code.co_freevars or code.co_cellvars:
        found = _names_of_operations(code, operations)
    for constant in code.co_consts:
        if isinstance(constant, _CODE):
            found |= _names(constant, operations)
    return found


def _names_of_operations(code: CodeType, operations: set[str]) -> set[str]:
    import opcode

    # Taking a body apart costs a millisecond, so only one that has such an operation at all is.
    if any(opcode.opmap[operation] in code.co_code[::2] for operation in operations if operation in opcode.opmap):
        import dis

        instructions = dis.get_instructions(code)
        return {str(instruction.argval) for instruction in instructions if instruction.opname in operations}
    return set()


def _defaults(function: _FUNCTION) -> dict[str, Any]:
    code = function.__code__
    values = function.__defaults__ or ()
    positional = code.co_varnames[: code.co_argcount]
    return {
        **dict(zip(positional[len(positional) - len(values) :], values, strict=False)),
        **(function.__kwdefaults__ or {}),
    }


def _is_helper(value: Any, caller: _FUNCTION) -> bool:
    return isinstance(value, _FUNCTION) and value.__module__ == caller.__module__


def _is_mutable(value: Any) -> bool:
    """Say whether a value is a container, an array, a graph, or an object of a class of neither library nor package."""
    if _is_container(value) or _graph_of(value) is not None:
        return True
    kind = type(value)
    if kind.__module__ == "numpy":
        return kind.__name__ == "ndarray"
    if isinstance(value, (type, _MODULE, _FUNCTION)) or not hasattr(value, "__dict__"):
        return False
    package = kind.__module__.partition(".")[0]
    return package not in _STANDARD and package not in ("graflow_fast", "numpy")


def _graph_of(value: Any) -> Any:
    """Return a graph, or that of a workflow; None of anything else."""
    kind = type(value)
    if kind.__module__ == "graflow_fast.core.workflow":
        value = getattr(value, "graph", None)
        kind = type(value)
    return value if kind.__module__ == "graflow_fast.core.graph" and kind.__name__ == "TaskGraph" else None


def _is_container(value: Any) -> bool:
    array = sys.modules.get("array")
    return isinstance(value, _CONTAINERS) or (array is not None and isinstance(value, array.array))


_STANDARD = sys.stdlib_module_names - {"__main__"}
