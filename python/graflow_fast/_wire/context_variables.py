"""Context variables of the program's own file: they can't be pickled, being nothing but their identity, so each has a
number, and brings along the value that it has where it is sent from.

Used on both sides.
"""

from __future__ import annotations

import contextvars
import os
from contextlib import suppress
from itertools import count
from typing import Any

#: No two processes give the same ones: a worker may have workers of its own.
_numbers = count((os.getpid() << 40) + 1)
_number_of: dict[contextvars.ContextVar[Any], int] = {}
_arrived: dict[int, contextvars.ContextVar[Any]] = {}


def reduce_variable(variable: contextvars.ContextVar[Any]) -> tuple[Any, ...]:
    """Return what makes a variable where it arrives, or finds it if it has arrived before, and sets it."""
    number = _number_of.get(variable)
    if number is None:
        number = _number_of[variable] = next(_numbers)
    default: tuple[Any, ...] = ()
    with suppress(LookupError):  # it may have none
        default = (contextvars.Context().run(variable.get),)
    context = contextvars.copy_context()
    value = (context[variable],) if variable in context else ()
    return variable_of, (number, variable.name, default, value)


def variable_of(
    number: int, name: str, default: tuple[Any, ...], value: tuple[Any, ...]
) -> contextvars.ContextVar[Any]:
    """Return the variable with that number, made when it is first named here, and set it to what it was set to."""
    found = _arrived.get(number)
    if found is None:
        found = contextvars.ContextVar(name, default=default[0]) if default else contextvars.ContextVar(name)
        _arrived[number] = found
        _number_of[found] = number
    if value:
        found.set(value[0])
    return found
