"""Filling a body's parameters: the call, injection, binding, the channel, the default, the value of the task before.

One function for inline, thread and worker bodies; where the values come from is behind the channel it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graflow_fast._hints import did_you_mean
from graflow_fast.channels.base import Channel
from graflow_fast.core.definition import Definition, Parameter

#: There is no single task before, so it returned nothing.
NOTHING: Any = object()

#: What the parameter for the context is usually called.
_CONTEXT_NAMES = ("ctx", "context", "task_ctx", "task_context")


def fill_arguments(
    definition: Definition,
    task_id: str,
    bound: dict[str, Any],
    channel: Channel,
    previous: Any = NOTHING,
    positional: int = 0,
    given: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the keyword arguments for a body.

    Args:
        definition: the task's definition.
        task_id: for the message when a parameter stays open.
        bound: parameters bound at instantiation.
        channel: where open parameters are looked up.
        previous: a function without arguments that gives the value of the single task before, or `NOTHING`.
        positional: how many of the first parameters the call fills itself.
        given: keyword arguments of the call, stronger than all others.

    Raises:
        TypeError: a parameter without default stays open.
    """
    arguments = dict(bound)
    if bound and not definition.takes_any:
        _refuse_unknown(definition, task_id, bound)
    if given:
        arguments.update(given)
    open_parameters: list[Parameter] = []
    look_up = definition.resolve_keyword_args
    for parameter in definition.parameters[positional:]:
        name = parameter.name
        if name in arguments:
            continue
        if look_up:
            if channel.exists(parameter.result_key):
                arguments[name] = channel.get(parameter.result_key)
                continue
            if channel.exists(name):
                arguments[name] = channel.get(name)
                continue
        if parameter.required:
            open_parameters.append(parameter)
    if open_parameters:
        fill_from_previous(open_parameters, previous, task_id, arguments, look_up)
    return arguments


def _refuse_unknown(definition: Definition, task_id: str, bound: dict[str, Any]) -> None:
    names = [parameter.name for parameter in definition.parameters]
    for name in bound:
        if name not in names:
            hint = did_you_mean(name, names) or f"It has {', '.join(names) or 'none'}."
            raise TypeError(
                f"Task '{task_id}' got an unexpected keyword argument '{name}': "
                f"its function has no such parameter. {hint}"
            )


def fill_from_previous(
    open_parameters: list[Parameter], previous: Any, task_id: str, arguments: dict[str, Any], looked_up: bool
) -> None:
    """Fill what is still open from the value of the task before, into ``arguments``; see `fill_arguments`."""
    value = NOTHING if previous is NOTHING else previous()
    missing = []
    for parameter in open_parameters:
        if isinstance(value, Mapping) and parameter.name in value and not parameter.takes_mapping:
            arguments[parameter.name] = value[parameter.name]
        elif value is not NOTHING and len(open_parameters) == 1:
            arguments[parameter.name] = value
        else:
            missing.append(parameter)
    if missing:
        raise TypeError(_missing_message(task_id, missing, value, len(open_parameters), looked_up))


def _missing_message(task_id: str, missing: list[Parameter], value: Any, count: int, looked_up: bool) -> str:
    """Return what is missing and where it was looked for."""
    names = " and ".join(f"'{parameter.name}'" for parameter in missing)
    plural = "" if len(missing) == 1 else "s"
    first = missing[0]
    places = ["not bound"]
    if looked_up:
        places.append(f"not in the channel (as '{first.result_key}' or '{first.name}')")
    places.append("no default")
    if value is NOTHING:
        places.append("no single task before it returned a value")
    elif isinstance(value, Mapping):
        places.append("not in the mapping that the task before returned")
    else:
        places.append(f"the task before returned one {type(value).__name__} for {count} open parameters")
    what = f"{len(missing)} required positional argument{plural}"
    hint = ". A task is given its context with @task(inject_context=True)" if first.name in _CONTEXT_NAMES else ""
    return f"Task '{task_id}' is missing {what}: {names} ({'; '.join(places)}){hint}"
