"""Why a value can't be pickled: the path to the offending part, for the error message.

Owns those words. It may look at a value in every way that does not change it, and must never raise because of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from graflow_fast._tracebacks import show_user_lines
from graflow_fast._wire.code import global_names
from graflow_fast.exceptions import TaskSerializationError

_DEEPEST = 8
_WIDEST = 1000


def explain_unpicklable(
    task_id: str, what: str, value: Any, error: BaseException, name: str = ""
) -> TaskSerializationError:
    """Return the error that names task, value and the path to the part that can't be pickled.

    Args:
        task_id: the task.
        what: the value in words, as in "argument 'db'".
        value: the value.
        error: what pickling it raised.
        name: the value in an expression, as in "db"; the path starts with it.
    """
    cause = show_user_lines(error) if isinstance(error, Exception) else None
    if cause is not None:
        cause.__context__ = None  # an earlier try to pickle the same
    if isinstance(value, FunctionType):
        for kind, variable, part in captured(value):
            if not _can_pickle(part):
                return TaskSerializationError(task_id, f"{kind} '{variable}'", _find(part, variable), cause)
    path = _find(value, name)
    return TaskSerializationError(task_id, what, "" if path == name else path, cause)


def captured(function: FunctionType) -> Iterator[tuple[str, str, Any]]:
    """Yield what travels with a function: (kind in words, name, value)."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield "captured variable", name, cell.cell_contents
        except ValueError:  # not bound yet
            continue
    defaults = function.__defaults__ or ()
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    for name, value in zip(positional[len(positional) - len(defaults) :], defaults, strict=False):
        yield "the default of parameter", name, value
    for name, value in (function.__kwdefaults__ or {}).items():
        yield "the default of parameter", name, value
    for name in global_names(function.__code__):
        if name in function.__globals__:
            yield "global variable", name, function.__globals__[name]


def _find(value: Any, path: str) -> str:
    """Return the path from ``value`` to the smallest part that can't be pickled; ``path`` when it is the value."""
    seen = {id(value)}
    try:
        for _ in range(_DEEPEST):
            for step, part in _parts(value):
                if id(part) not in seen and not _can_pickle(part):
                    seen.add(id(part))
                    value, path = part, path + step
                    break
            else:
                return path
    except Exception:  # from the value's own methods
        pass
    return path


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in list(value.items())[:_WIDEST]:
            yield f"[{key!r}]", part
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, part in enumerate(list(value)[:_WIDEST]):
            yield f"[{index}]", part
    elif isinstance(value, FunctionType):
        for kind, name, part in captured(value):
            yield f".<{kind} {name}>", part
    for name, part in list(getattr(value, "__dict__", {}).items())[:_WIDEST]:
        yield f".{name}", part
    for kind_of in type(value).__mro__:
        slots = kind_of.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and not name.startswith("__"):
                yield f".{name}", getattr(value, name)


def _can_pickle(value: Any) -> bool:
    from graflow_fast._wire.pickling import try_to_dump

    try:
        try_to_dump(value)
    except Exception:
        return False
    return True
