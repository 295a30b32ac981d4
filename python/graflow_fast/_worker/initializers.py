"""Calling a run's initializer in this process, and keeping what it sets: no body is to lose that.

Owns which variables were set by initializers: they are this worker's, so a body that changes what they hold changes
nothing that the program would miss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._worker import mutations, output
from graflow_fast._worker.operations import Operations
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from graflow_fast._worker.loop import Worker

#: (variables of a module, name, value)
_set: list[tuple[dict[str, Any], str, Any]] = []
_ABSENT: Any = object()


def call(worker: Worker, key: int) -> None:
    """Call the initializer with that key, once.

    Raises:
        GraflowRuntimeError: it raised something; the next body here calls it again.
    """
    function = worker.definition(key).func
    try:
        function()
    except Exception as error:
        name = getattr(function, "__qualname__", repr(function))
        raise GraflowRuntimeError(
            f"The initializer '{name}' failed in a worker, so no body can run there: {type(error).__name__}: {error}",
            error,
        ) from error
    worker.initialized.add(key)
    output.adopt()
    while hasattr(function, "func"):
        function = function.func
    code = getattr(function, "__code__", None)
    if code is None:
        return
    operations = Operations()
    operations.add(code)
    variables = function.__globals__
    for name in operations.rebound:
        if name in variables and name not in code.co_freevars:
            value, module = variables[name], variables.get("__name__")
            mutations.own.add((module, name))
            for copy in (variables, *worker.copies_of(module)):  # functions that can't be imported have their own
                if copy is variables or name in copy:
                    copy[name] = value
                    _set.append((copy, name, value))


def restore() -> None:
    """Set again what initializers had set: all else was loaded anew."""
    for variables, name, value in _set:
        variables[name] = value
