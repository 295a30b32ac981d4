"""The arguments of a call by the names of their parameters: ``f(1)``, ``f(x=1)`` and a default of 1 are one call.

Owns that order. Must not know what the arguments are, nor how they are hashed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

__all__ = ["Binder"]

_VARIABLE, _NAMED = 0x04, 0x08  # flags of code: it takes *args, **kwargs


class Binder:
    """Names the arguments of calls of one function.

    Args:
        function: what is called.
        skipped: how many of its first parameters don't count: the context.
    """

    def __init__(self, function: Callable[..., Any], skipped: int) -> None:
        self._names: tuple[str, ...] | None = None
        if type(function) is not FunctionType:
            return  # an object: its calls are told apart as they are written
        code = function.__code__
        count = code.co_argcount
        self._names = code.co_varnames[min(skipped, count) : count]
        self._order = self._names + code.co_varnames[count : count + code.co_kwonlyargcount]
        self._whole = frozenset(self._order)
        defaults = function.__defaults__ or ()
        self._defaults: dict[str, Any] = dict(
            zip(code.co_varnames[count - len(defaults) : count], defaults, strict=True)
        )
        self._defaults.update(function.__kwdefaults__ or {})

    def bind(self, positional: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments by name, in the order of the parameters; those without a name as ``*`` and ``**``."""
        names = self._names
        if names is None:
            return {"*": positional, "**": named}
        if not positional and named.keys() == self._whole:
            return {name: named[name] for name in self._order}  # as a run calls it
        given = dict(zip(names, positional, strict=False))
        bound = {}
        for name in self._order:
            if name in named:
                bound[name] = named[name]
            elif name in given:
                bound[name] = given[name]
            elif name in self._defaults:
                bound[name] = self._defaults[name]
        if len(positional) > len(names):
            bound["*"] = positional[len(names) :]
        more = {name: value for name, value in named.items() if name not in self._order}
        if more:
            bound["**"] = more
        return bound
