"""Where values come from: a parameter's (the call, binding, channel, default, the task before), and a map's items.

Part of the reference model; knows nothing of how the engine does it.
"""

from __future__ import annotations

from typing import Any

from .program import Map, Task
from .scripts import value_of
from .state import NOTHING, Context, Scope, Unsuitable


def fill(task: Task, name: str, scope: Scope, cause: Any, item: Any = NOTHING) -> dict[str, Any]:
    """The arguments of a body, in the order of its parameters.

    Parameters
    ----------
    task: whose body it is.
    name: what it is called in messages.
    scope: the channel as the body sees it.
    cause: what the single task before `Returned`, or `NOTHING`.
    item: what the call itself gives for the first parameter that is not bound: a map's item.

    Raises
    ------
    TypeError: a parameter stays open.
    """
    bound = {key: value_of(value) for key, value in task.bound}
    looks_up = dict(task.options).get("resolve_keyword_args", True)
    found: dict[str, Any] = {}
    still_open: list[tuple[str, str | None]] = []
    for key, required, default, _, annotation in task.parameters:
        found[key] = NOTHING
        if key in bound:
            found[key] = bound[key]
        elif item is not NOTHING:
            found[key], item = item, NOTHING
        elif looks_up and scope.exists(f"{key}.__result__"):
            found[key] = scope.get(f"{key}.__result__")
        elif looks_up and scope.exists(key):
            found[key] = scope.get(key)
        elif not required:
            found[key] = value_of(default)
        else:
            still_open.append((key, None if task.form == "lambda" else annotation))
    value = value_before(cause, scope) if still_open else NOTHING
    for key, annotation in still_open:
        found[key] = from_before(key, annotation, len(still_open) == 1, value)
    missing = [repr(key) for key, value in found.items() if value is NOTHING]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        what = f"{len(missing)} required positional argument{plural}"
        raise TypeError(f"Task '{name}' is missing {what}: {' and '.join(missing)}")
    return found


def value_before(cause: Any, scope: Scope) -> Any:
    """What the single task before returned, or `NOTHING`; it may have run again, or its result be gone, since."""
    if cause is NOTHING or cause is None:
        return NOTHING
    if repr(scope.get(f"{cause.name}.__result__", NOTHING)) != repr(cause.value):
        scope.notes.add("a value of the task before that was replaced")
    return cause.value


def from_before(key: str, annotation: str | None, alone: bool, value: Any) -> Any:
    """What an open parameter gets of the value that the task before returned, or `NOTHING`."""
    holds = isinstance(value, dict) and key in value
    if not alone:
        return value[key] if holds else NOTHING
    return value[key] if holds and annotation not in (None, "dict") else value


def items_of(node: Map, ctx: Context) -> list[Any]:
    """What a map runs over; a program that gives it nothing to run over is left out."""
    if isinstance(node.items, str):
        value = ctx.get_result(node.items)
    elif node.items is not None:
        value = value_of(node.items)
    else:
        value = value_before(ctx.activation.cause, ctx.branch.scope)
    if not isinstance(value, (list, tuple, dict, str)):
        raise Unsuitable
    return list(value)
