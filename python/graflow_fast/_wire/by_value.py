"""How objects of a program travel that cloudpickle can't send: what a script's decorators and definitions make.

Owns a rule for each such kind. What can be imported where it arrives is left to be named; so is all that has no rule.
"""

from __future__ import annotations

import functools
import io
import struct
import sys
import types
import typing
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import cloudpickle

from graflow_fast._wire.code import global_names, reduce_code
from graflow_fast._wire.context_variables import reduce_variable
from graflow_fast._wire.exception_pickling import reduce_exception
from graflow_fast._wire.importable import is_importable
from graflow_fast._wire.submodules import submodules_named
from graflow_fast._wire.validated import reduce_validated

_NEXT: Any = NotImplemented
#: Set in ``__flags__`` of each class that a program, or a module in Python, has made.
_IS_HEAP_TYPE = 1 << 9
_SINGLE_DISPATCH = functools.singledispatch(lambda value: value).__code__  # type: ignore[attr-defined]


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Cloudpickle with the rules of this module."""

    def reducer_override(self, obj: Any) -> Any:
        """Reduce an object by its rule, if it has one."""
        kind = type(obj)
        rule = RULES.get(kind.__name__)
        if rule is not None and (reduced := rule(obj)) is not _NEXT:
            return reduced
        if issubclass(kind, BaseException) and (reduced := reduce_exception(obj)) is not None:
            return reduced
        reduced = super().reducer_override(obj)
        if type(reduced) is tuple:
            if kind is types.FunctionType:
                _complete(reduced[2][1], obj)
            elif issubclass(kind, type) and getattr(reduced[0], "__name__", "") == "_make_skeleton_class":
                return _completed_class(reduced, obj)
        return reduced


def dumps(value: Any) -> bytes:
    """Return a value as bytes."""
    content = io.BytesIO()
    Pickler(content).dump(value)
    return content.getvalue()


def _complete(state: dict[str, Any], function: types.FunctionType) -> None:
    """Add what a function's inner classes name to its state, which holds what its inner functions name."""
    code, module_globals, named = function.__code__, function.__globals__, state["__globals__"]
    for name in global_names(code):
        if name not in named and name in module_globals:
            named[name] = module_globals[name]
    known = state["_cloudpickle_submodules"]
    known.extend(module for module in submodules_named(code, named.values()) if module not in known)


def _completed_class(reduced: tuple[Any, ...], kind: type) -> tuple[Any, ...]:
    """Add to what makes a class its name as it is shown, which cloudpickle forgets: `repr` of a dataclass says it.

    And let it not be told to a base of the program's own, which was told when the program made the class: with keywords
    that nobody knows any more, and what it noted then comes with it.
    """
    make, arguments, *rest = reduced
    if kind.__qualname__ != kind.__name__:
        shown = {"__qualname__": kind.__qualname__}
        arguments = tuple([{**each, **shown} if type(each) is dict else each for each in arguments])
    told = next(base for base in kind.__mro__[1:] if "__init_subclass__" in vars(base))
    if told.__flags__ & _IS_HEAP_TYPE and not is_importable(told):
        make, arguments = _make_class_untold, (make, told, *arguments)
    return make, arguments, *rest


#: Stands where a base has what it does with a class that derives from it.
_NOTHING = classmethod(lambda kind, **keywords: None)


def _make_class_untold(make: Callable[..., type], told: type, *arguments: Any) -> type:
    hook = vars(told).get("__init_subclass__")
    if hook is None:  # it has no attributes as yet
        return make(*arguments)
    type.__setattr__(told, "__init_subclass__", _NOTHING)
    try:
        return make(*arguments)
    finally:
        type.__setattr__(told, "__init_subclass__", hook)


def _cached_function(function: Any) -> Any:
    """Of ``functools.lru_cache``: the function; each process fills a cache of its own."""
    if type(function) is not functools._lru_cache_wrapper or is_importable(function):
        return _NEXT
    parameters = function.cache_parameters()
    return _make_cached_function, (function.__wrapped__, parameters["maxsize"], parameters["typed"])


def _make_cached_function(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize, typed)(function)


def _single_dispatch(function: Any) -> Any:
    """Of ``functools.singledispatch``: the implementations."""
    if not has_rule(function) or is_importable(function):
        return _NEXT
    return _make_single_dispatch, (function.__wrapped__, list(function.registry.items()))


def has_rule(function: types.FunctionType) -> bool:
    """Say whether a function is one that its code and its own values don't make (``functools.singledispatch``)."""
    return function.__code__ is _SINGLE_DISPATCH


def _make_single_dispatch(default: Callable[..., Any], implementations: list[tuple[type, Any]]) -> Any:
    made = functools.singledispatch(default)
    for kind, implementation in implementations:
        made.register(kind, implementation)
    return made


def _cached_property(prop: Any) -> Any:
    """Up to Python 3.11 it holds a lock."""
    if type(prop) is not functools.cached_property or not hasattr(prop, "lock"):
        return _NEXT
    return _make_cached_property, (prop.func, prop.attrname)


def _make_cached_property(function: Callable[[Any], Any], name: str | None) -> Any:
    made = functools.cached_property(function)
    made.attrname = name
    return made


def _typed_dict(kind: Any) -> Any:
    """Its bases are forgotten when it is made, so one that extends another can't be made from them again."""
    if not isinstance(kind, type) or is_importable(kind) or typing.Generic in kind.__mro__:
        return _NEXT
    make = getattr(sys.modules.get(type(kind).__module__), "TypedDict", None)
    if make is None:
        return _NEXT
    shown = {name: getattr(kind, name) for name in ("__module__", "__qualname__", "__doc__", "__annotations__")}
    totals = {name: getattr(kind, name) for name in ("__total__", "__required_keys__", "__optional_keys__")}
    return _make_typed_dict, (make, kind.__name__, shown, totals)


def _make_typed_dict(make: Any, name: str, shown: dict[str, Any], totals: dict[str, Any]) -> Any:
    made = types.new_class(name, (make,), {"total": totals["__total__"]}, lambda namespace: namespace.update(shown))
    for attribute, value in totals.items():
        setattr(made, attribute, value)
    return made


def _new_type(kind: Any) -> Any:
    if type(kind) is not typing.NewType or is_importable(kind):
        return _NEXT
    return _make_new_type, (kind.__name__, kind.__supertype__, kind.__module__, getattr(kind, "__qualname__", ""))


def _make_new_type(name: str, base: Any, module: str, qualified_name: str) -> Any:
    made: Any = typing.NewType(name, base)  # type: ignore[misc]
    made.__module__ = module
    made.__qualname__ = qualified_name
    return made


def _struct(compiled: Any) -> Any:
    return (struct.Struct, (compiled.format,)) if type(compiled) is struct.Struct else _NEXT


def _context_variable(variable: Any) -> Any:
    return reduce_variable(variable) if type(variable) is ContextVar else _NEXT


#: By the name of a class.
RULES: dict[str, Callable[[Any], Any]] = {
    "_lru_cache_wrapper": _cached_function,
    "function": _single_dispatch,
    "cached_property": _cached_property,
    "_TypedDictMeta": _typed_dict,
    "NewType": _new_type,
    "Struct": _struct,
    "ContextVar": _context_variable,
    "code": reduce_code,
    "ValidateCallWrapper": reduce_validated,
}
