"""How functions of ``pydantic.validate_call`` cross: by what they validate, which is made anew where they arrive.

What they hold are validators in Rust, which can't be pickled, and the variables of their whole module. Owns what of
these their annotations name.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Mapping
from typing import Any


def reduce_validated(wrapper: Any) -> Any:
    """Return how to make a wrapper of pydantic's again; `NotImplemented` for what only has its name."""
    kind = type(wrapper)
    if not kind.__module__.startswith("pydantic."):
        return NotImplemented
    config = wrapper.config_wrapper.config_dict
    named = _named(wrapper)
    return _make_validated, (kind, wrapper.function, dict(config) or None, wrapper.validate_return, named)


def _make_validated(kind: Any, function: Any, config: Any, validates_return: bool, named: dict[str, Any]) -> Any:
    return kind(function, config, validates_return, named or None)


def _named(wrapper: Any) -> dict[str, Any]:
    """Return what annotations that are texts name, by the names."""
    function = wrapper.function
    while isinstance(function, functools.partial):
        function = function.func
    try:
        annotations = function.__annotations__
    except Exception:  # a lazy one that names what is not there
        return {}
    found: dict[str, Any] = {}
    for text in annotations.values():
        if isinstance(text, str):
            for name in _names_in(text):
                for variables in (_locals_of(wrapper), getattr(function, "__globals__", {})):
                    if name not in found and name in variables:
                        found[name] = variables[name]
    return found


def _names_in(text: str) -> tuple[str, ...]:
    try:
        names = compile(text, "<annotation>", "eval").co_names
    except (SyntaxError, ValueError):
        return ()
    return tuple([name for name in names if not hasattr(builtins, name)])


def _locals_of(wrapper: Any) -> Mapping[str, Any]:
    found = getattr(getattr(wrapper.ns_resolver, "types_namespace", None), "locals", None)
    return found if isinstance(found, Mapping) else {}
