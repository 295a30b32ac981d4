"""The initializer of a run: called once in each worker, before the first body there.

Owns which variables it sets: these are each worker's own, so what they are in this process isn't sent. It crosses as a
definition, as bodies do, so it sets the variables that they read.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from graflow_fast._places.process.store import store
from graflow_fast._worker.operations import Operations
from graflow_fast.core.definition import Definition

#: What stands for a task's name where something is wrong with it.
INITIALIZER = "initializer"

#: By the address of a function: it and its definition, for the next run.
_known: dict[int, tuple[Any, Definition]] = {}


def initializer_of(function: Callable[[], Any]) -> Definition:
    """Return the definition of an initializer."""
    known = _known.get(id(function))
    if known is not None and known[0] is function:
        return known[1]
    made = Definition(function)
    _known.clear()
    _known[id(function)] = function, made
    inner: Any = function
    while hasattr(inner, "func"):  # functools.partial
        inner = inner.func
    if type(inner) is FunctionType:
        operations = Operations()
        operations.add(inner.__code__)
        names = {name for name in operations.rebound if name not in inner.__code__.co_freevars}
        if names:
            store.left_out.setdefault(id(inner.__globals__), set()).update(names)
    return made
