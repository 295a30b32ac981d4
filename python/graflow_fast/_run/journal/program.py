"""How a journal names what tasks are made of that the program has: so a resumed run has today's functions and options.

Owns the names of definitions, and the pickling of what a body asked for by them. What the program has no name for (a
function that a body defined) goes by value. Knows neither entries nor replay.
"""

from __future__ import annotations

import io
import pickle
import sys
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any
from weakref import ref

from graflow_fast._run.journal.entries import pickled
from graflow_fast.core.definition import Definition
from graflow_fast.exceptions import JournalMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast._run.nodes import NodeTable

#: Of a node that the run began with: (its name,); of a task of a module: (the module's name, the variable's).
Name = tuple[str, ...]


#: What of a definition is its function's, or was found out since.
_NO_OPTIONS = frozenset(("func", "_parameters", "_takes_any", "named", "bound_names", "filler", "shown"))


class Program:
    """What the program of a run has."""

    def __init__(self, nodes: NodeTable) -> None:
        self._reference = ref(nodes)
        self._names: dict[Definition, Name] | None = None

    @property
    def _nodes(self) -> NodeTable:
        nodes = self._reference()
        assert nodes is not None
        return nodes

    def dumped(self, wish: Any, task_id: str, what: str) -> bytes:
        """Return what a body asked for as bytes; `TaskSerializationError` if something in it can't be pickled."""
        return pickled(wish, task_id, what, lambda kind: _naming(kind, self._name_of))

    def load(self, data: bytes, task_id: str) -> Any:
        """Return what `dumped` was given, made of what the program has now.

        Raises:
            JournalMismatchError: the program has something of it no more.
        """
        return _Loader(data, lambda name: self._definition(name, task_id)).load()

    def _name_of(self, definition: Definition) -> Name | None:
        if self._names is None:
            self._names = {}
            for name, task in zip(self._nodes.names[: self._nodes.given], self._nodes.tasks, strict=False):
                found = getattr(task, "_definition", None)
                if found is not None:
                    self._names.setdefault(found, (name,))
        return self._names.get(definition) or _name_in_module(definition)

    def _definition(self, name: Name, task_id: str) -> Definition:
        if len(name) == 1:
            node = self._nodes.ids.get(name[0])
            task: Any = None if node is None else self._nodes.tasks[node]
        else:
            task = getattr(sys.modules.get(name[0]), name[1], None)
        found = getattr(task, "_definition", None)
        if type(found) is not Definition:
            whose = "the workflow" if len(name) == 1 else f"module '{name[0]}'"
            raise JournalMismatchError(task_id, f"it asked for a task made of '{name[-1]}', which {whose} has no more")
        return found


def _name_in_module(definition: Definition) -> Name | None:
    """Return the name of a definition that a module has as a task."""
    variables = getattr(definition.func, "__globals__", None)
    name = getattr(definition.func, "__name__", None)
    if type(variables) is not dict or type(name) is not str:
        return None
    module: Any = variables.get("__name__")
    if vars(sys.modules.get(module, sys)) is not variables:
        return None
    return (module, name) if _are_same(getattr(variables.get(name), "_definition", None), definition) else None


def _are_same(found: Definition | None, definition: Definition) -> bool:
    """Say whether a definition is the one that is found, or what a worker made of it."""
    if found is None or found is definition:
        return found is definition
    own, other = found.func, definition.func
    if type(own) is not FunctionType or type(other) is not FunctionType or own.__code__ is not other.__code__:
        return False
    if own.__closure__ is not None or own.__defaults__ != other.__defaults__:
        return False
    return bool(_options(found) == _options(definition))


def _options(definition: Definition) -> dict[str, Any]:
    return {name: value for name, value in vars(definition).items() if name not in _NO_OPTIONS}


def _naming(kind: type[pickle.Pickler], name_of: Callable[[Definition], Name | None]) -> Callable[[io.BytesIO], Any]:
    """Return what makes a pickler of that kind which names definitions."""
    return lambda file: _naming_class(kind)(file, name_of)  # type: ignore[arg-type]


@cache
def _naming_class(kind: type[pickle.Pickler]) -> Any:
    class Naming(kind):  # type: ignore[misc, valid-type]
        def __init__(self, file: io.BytesIO, name_of: Callable[[Definition], Name | None]) -> None:
            super().__init__(file, protocol=5)
            self._name_of = name_of

        def persistent_id(self, obj: Any) -> Name | None:
            return self._name_of(obj) if type(obj) is Definition else None

    return Naming


class _Loader(pickle.Unpickler):
    def __init__(self, data: bytes, definition: Callable[[Name], Definition]) -> None:
        super().__init__(io.BytesIO(data))
        self._definition = definition

    def persistent_load(self, name: Name) -> Definition:
        """Return the definition that has a name."""
        return self._definition(name)
