"""Doing again what a call did: its writes, what it asked for and what it said, by way of the body's own context.

Owns how steps are packed and done. All values are loaded before the first step, so an entry that can't be used does
nothing. Must not know how entries are found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graflow_fast._cache.stored import Packed, Stored, unpack
from graflow_fast._wire import effects
from graflow_fast.core import registry
from graflow_fast.core.task import Executable, TaskReference

if TYPE_CHECKING:
    from graflow_fast._cache.body import Surroundings
    from graflow_fast._cache.entries import Entries

__all__ = ["Loaded", "again", "finder", "load", "namer", "packed_steps"]

#: A result, and steps with their values.
Loaded = tuple[Any, list[tuple[Any, ...]]]


def namer(context: Any) -> Callable[[Executable], str | None]:
    """Return what says the name of a task that is in the graph that a body sees; None for others."""

    def named(task: Executable) -> str | None:
        if isinstance(task, TaskReference):
            return task.task_id
        try:
            return task.task_id if context.graph.get_node(task.task_id) is task else None
        except Exception:
            return None

    return named


def finder(context: Any) -> Callable[[str], Any]:
    """Return what finds such a task again."""

    def find(name: str) -> Any:
        return context.graph.get_node(name)

    return find


def packed_steps(steps: list[tuple[Any, ...]], pack: Callable[[Any], Packed]) -> list[tuple[Any, ...]]:
    """Return steps as they are kept."""
    packed: list[tuple[Any, ...]] = []
    for step in steps:
        if step[0] == "write":
            _, operation, key, value, ttl = step
            packed.append(("write", operation, key, pack(value), ttl))
        elif step[0] == "next":
            packed.append(("next", pack(effects.describe(step[1])), step[2]))
        else:
            packed.append(("want", step[1], pack(step[2])))
    return packed


def load(stored: Stored, body: Any, context: Any, entries: Entries) -> Loaded:
    """Return the values of an entry.

    Args:
        stored: the entry.
        body: the function whose it is.
        context: that of the task.
        entries: where large values are.

    Raises:
        Exception: one can't be loaded.
    """
    node = finder(context)
    result = unpack(stored.result, body, node, entries)
    steps: list[tuple[Any, ...]] = []
    for step in stored.steps:
        if step[0] == "write":
            _, operation, key, packed, ttl = step
            steps.append(("write", operation, key, unpack(packed, body, node, entries), ttl))
        elif step[0] == "next":
            steps.append(("next", unpack(step[1], body, node, entries), step[2]))
        else:
            steps.append(("want", step[1], unpack(step[2], body, node, entries)))
    return result, steps


def again(stored: Stored, loaded: Loaded, context: Any, surroundings: Surroundings) -> Any:
    """Do what a call did; return its result."""
    result, steps = loaded
    if stored.pieces:
        surroundings.say(stored.pieces)
    for step in steps:
        if step[0] == "write":
            _write(context.get_channel(), *step[1:])
        elif step[0] == "next":
            context.next_task(_executable(step[1], context), goto=step[2])
        elif step[1] == "checkpoint":
            metadata, path = step[2]
            context.checkpoint(metadata, path=path)
        else:
            getattr(context, step[1])(*step[2])
    return result


def _write(channel: Any, operation: str, key: str, value: Any, ttl: int | None) -> None:
    if operation == "delete":
        channel.delete(key)
    else:
        getattr(channel, operation)(key, value, ttl)


def _executable(description: Any, context: Any) -> Executable:
    """Return what was asked for; edges among it are this body's, as they were that one's."""
    if isinstance(description, str):
        return TaskReference(description)
    if isinstance(description, Executable):
        return description
    tasks, edges, start = description
    if edges:
        made = context.links_made
        if made is None:
            made = context.links_made = registry.BodyLinks()
        for source, target in edges:
            made.for_change(tasks[source]).successors.append(tasks[target])
            made.for_change(tasks[target]).predecessors.append(tasks[source])
    found: Executable = tasks[start]
    return found
