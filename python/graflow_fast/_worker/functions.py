"""Plain functions from what `graflow_fast._run.plain_functions` says of them. Needs nothing that is slow to import."""

from __future__ import annotations

import sys

from graflow_fast.core.definition import Parameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FunctionType
    from typing import Any

    #: What stands for a value: one of the kinds below, and what it says.
    Value = tuple[int, Any]
    #: (code, number of its globals, globals that it names, attributes, attributes that are dictionaries)
    Described = tuple[Any, int, dict[str, Value], dict[str, Value], dict[str, dict[str, Value]]]

#: A value itself, a module by its name, what a module has under a name, a function by its number, a generic type.
VALUE, MODULE, MEMBER, FUNCTION, ALIAS = range(5)

ATTRIBUTES = ("__name__", "__qualname__", "__defaults__", "__module__", "__doc__")
ATTRIBUTES_BY_NAME = ("__annotations__", "__kwdefaults__")


def definition_state(content: tuple[Any, ...]) -> dict[str, Any]:
    """Return the state of a definition."""
    fields, parameters, first, shown, annotations, described, all_globals = content
    made = restore(described, all_globals)
    shown["__annotations__"] = _values(annotations, made)
    return {
        **fields,
        "func": _value(first, made),
        "_parameters": tuple([Parameter(*parameter) for parameter in parameters]),
        "named": [],
        "bound_names": {},
        "shown": shown,
    }


def restore(described: tuple[Described, ...], all_globals: tuple[dict[str, Any], ...]) -> list[FunctionType]:
    """Return the functions; those that shared their globals do so again."""
    for module_globals in all_globals:
        module_globals["__builtins__"] = __builtins__
    made: list[FunctionType] = [_FUNCTION(each[0], all_globals[each[1]]) for each in described]
    for function, (_, _, named, attributes, by_name) in zip(made, described):  # noqa: B905  # of one length
        function.__globals__.update(_values(named, made))
        for name, value in attributes.items():
            setattr(function, name, _value(value, made))
        for name, values in by_name.items():
            if values:
                setattr(function, name, _values(values, made))
    return made


def _values(described: dict[str, Value], made: list[FunctionType]) -> dict[str, Any]:
    return {name: _value(value, made) for name, value in described.items()}


def _value(described: Value, made: list[FunctionType]) -> Any:
    kind, content = described
    if kind == VALUE:
        return content
    if kind == FUNCTION:
        return made[content]
    if kind == MODULE:
        __import__(content)
        return sys.modules[content]
    if kind == MEMBER:
        module, path = content
        __import__(module)
        found: Any = sys.modules[module]
        for name in path.split("."):
            found = getattr(found, name)
        return found
    origin, parts = content
    return _value(origin, made)[tuple([_value(part, made) for part in parts])]


_FUNCTION: Any = type(restore)
