"""Filling a body's parameters: the call, injection, binding, the channel, the default, the value of the task before.

The rule is `rust/ledger`'s, one for inline, thread and worker bodies; here are its face for bodies of this process, and
its words. Must not know where values come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graflow_fast._core import Filler
from graflow_fast._hints import did_you_mean
from graflow_fast.channels.base import Channel
from graflow_fast.core.definition import Definition

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
    """Return the keyword arguments for a body of this process.

    Args:
        definition: the task's definition.
        task_id: for the message when a parameter stays open.
        bound: parameters bound at instantiation.
        channel: where open parameters are looked up.
        previous: a function without arguments that gives the value of the single task before, or `NOTHING`.
        positional: how many of the first parameters the call fills itself.
        given: keyword arguments of the call, stronger than all others.

    Raises:
        TypeError: a parameter without default stays open, or a bound name is no parameter.
    """
    filler: Filler = definition.filler or Filler.of(definition)
    return filler.fill(task_id, dict(bound), channel, None if previous is NOTHING else previous, positional, given)


def refuse_unknown(task_id: str, names: list[str], bound: dict[str, Any]) -> None:
    """Refuse a bound name that is no parameter, if there is one.

    Raises:
        TypeError: there is.
    """
    for name in bound:
        if name not in names:
            hint = did_you_mean(name, names) or f"It has {', '.join(names) or 'none'}."
            raise TypeError(
                f"Task '{task_id}' got an unexpected keyword argument '{name}': "
                f"its function has no such parameter. {hint}"
            )


def missing(task_id: str, names: list[str], looked_up: bool, count: int, has_previous: bool, value: Any) -> TypeError:
    """Return the error for parameters that stay open: which, and where they were looked for.

    Args:
        task_id: the task.
        names: the parameters.
        looked_up: whether the channel was asked.
        count: how many parameters only the task before could fill.
        has_previous: whether there is a single task before, which returned ``value``.
        value: what it returned.
    """
    listed = " and ".join(f"'{name}'" for name in names)
    plural = "" if len(names) == 1 else "s"
    first = names[0]
    places = ["not bound"]
    if looked_up:
        places.append(f"not in the channel (as '{first}.__result__' or '{first}')")
    places.append("no default")
    if not has_previous:
        places.append("no single task before it returned a value")
    elif isinstance(value, Mapping):
        places.append("not in the mapping that the task before returned")
    else:
        places.append(f"the task before returned one {type(value).__name__} for {count} open parameters")
    what = f"{len(names)} required positional argument{plural}"
    hint = ". A task is given its context with @task(inject_context=True)" if first in _CONTEXT_NAMES else ""
    return TypeError(f"Task '{task_id}' is missing {what}: {listed} ({'; '.join(places)}){hint}")
