"""The effects record: what a body did, as bytes for the coordinator. Shared words with `graflow_fast._run.processes`.

A record is the pickle of (log, directives, pieces, error): plain tuples in which every user value is bytes of its
own, so the
coordinator applies it without loading what nobody asks for.
"""

from __future__ import annotations

import sys
from typing import Any

from graflow_fast._run import crossing
from graflow_fast._worker.imports import import_late
from graflow_fast.core import registry
from graflow_fast.core.task import Executable, SequentialTask, TaskReference
from graflow_fast.exceptions import RemoteTaskError, TaskSerializationError

PICKLING = "graflow_fast._run.pickling"

#: Flags of a report: nothing but a result, a body that raised, a record of effects.
PLAIN, FAILED, EFFECTS = 0, 1, 2
#: The record has the short form of `graflow_fast._core.pack_effects`.
PLAIN_EFFECTS = 16


def flags_of(parts: Any) -> int:
    """Return the flags of the report of a body that returned, by its record's parts (bytes: the short form)."""
    if parts is None:
        return PLAIN
    return PLAIN_EFFECTS if type(parts) is bytes else EFFECTS


def parts(
    task_id: str, log: list[Any] | None, directives: list[Any] | None, pieces: list[Any] | None, error: Any
) -> tuple[Any, Any, Any, Any]:
    """Return what a record is made of, with every value of the user as bytes.

    Raises:
        TaskSerializationError: a written value or something passed to ``next_task`` can't be pickled.
    """
    packed_log = pack_log(task_id, log) if log else None
    packed_directives = [_pack_directive(task_id, directive) for directive in directives] if directives else None
    return packed_log, packed_directives, pieces, error


def pack_log(task_id: str, log: list[Any]) -> list[tuple[str, str, bytes | None, float | None]]:
    """Return a log of channel operations with each value as bytes.

    Raises:
        TaskSerializationError: a value can't be pickled.
    """
    return [
        (
            operation,
            key,
            None if operation in ("delete", "clear") else _pack(task_id, f"channel value '{key}'", value, key),
            expires,
        )
        for operation, key, value, expires in log
    ]


def pack_result(task_id: str, result: Any) -> bytes:
    """Return a result as bytes.

    Raises:
        TaskSerializationError: it can't be pickled.
    """
    return _pack(task_id, "the result", result, "result")


def pack_error(error: BaseException, trace: str) -> tuple[bytes, str]:
    """Return an exception as (bytes for `unpack_error`, traceback): always something to show."""
    from graflow_fast import _exception_pickling

    return _exception_pickling.pack(error), trace


def unpack_error(task_id: str, packed: tuple[bytes, str]) -> BaseException:
    """Return the exception that a body raised, with the worker's traceback; what can't be rebuilt has a stand-in."""
    data, trace = packed
    from graflow_fast import _exception_pickling

    error = _exception_pickling.unpack(data)
    if isinstance(error, RemoteTaskError) and not error.task_id:
        return RemoteTaskError(task_id, error.type_name, error.message, trace)
    if isinstance(error, TaskSerializationError) and error.task_id == "?":
        error = TaskSerializationError(task_id, error.what, error.path, error.cause)
    attach_remote_traceback(error, trace)
    return error


def load_arguments(task_id: str, bound: bytes) -> dict[str, Any]:
    """Return the bound arguments of a task.

    Raises:
        TaskSerializationError: they arrived, but one of them can't be loaded here.
    """
    try:
        arguments: dict[str, Any] = crossing.loads(bound)
    except Exception as error:
        raise TaskSerializationError(task_id, "an argument", "", error) from error
    return arguments


class RemoteTraceback(Exception):
    """The traceback of an exception in the worker where it was raised, as text; stands as its cause."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def attach_remote_traceback(error: BaseException, text: str) -> None:
    """Let an exception show the worker's traceback when it is printed here, if that has lines of the user's."""
    if "\n  File " not in text:
        return
    innermost = error
    seen = set()
    while innermost.__cause__ is not None and id(innermost) not in seen:
        seen.add(id(innermost))
        innermost = innermost.__cause__
    if innermost.__cause__ is None:
        innermost.__cause__ = RemoteTraceback(text)


def unloadable(error: BaseException) -> BaseException:
    """Return the error for a body or an argument that arrived but could not be loaded here."""
    if isinstance(error, Exception):
        return TaskSerializationError("?", "function", "", error)
    return error


def _pack(task_id: str, what: str, value: Any, name: str) -> bytes:
    try:
        return crossing.dumps(value)
    except Exception as error:
        if PICKLING not in sys.modules:  # a body may have left no descriptor for the import
            import_late(PICKLING)
            return _pack(task_id, what, value, name)
        from graflow_fast._run.serialization import explain_unpicklable

        raise explain_unpicklable(task_id, what, value, error, name) from error


def _pack_directive(task_id: str, directive: tuple[Any, ...]) -> tuple[Any, ...]:
    kind = directive[0]
    if kind == "next":
        return (
            kind,
            _pack(task_id, f"task '{directive[1].task_id}' for next_task()", describe(directive[1]), "task"),
            directive[2],
        )
    if kind == "iterate":
        data = directive[2]
        return kind, directive[1], None if data is None else _pack(task_id, "data for next_iteration()", data, "data")
    if kind == "node":
        return kind, directive[1], _pack(task_id, f"task '{directive[1]}' for the graph", directive[2], "task")
    return directive


def describe(executable: Executable) -> Any:
    """Return what stands for an executable on the way: its name, or (tasks, edges by index, index of the start)."""
    start = executable.leftmost if isinstance(executable, SequentialTask) else executable
    if isinstance(start, TaskReference) and start._links is None:
        return start.task_id
    if start._links is None and not start.is_group:
        return start
    component = registry.linked_component(start)
    index = {id(task): position for position, task in enumerate(component)}
    edges = [
        (index[id(task)], index[id(successor)])
        for task in component
        if task._links is not None
        for successor in task._links.successors
    ]
    return component, edges, index[id(start)]


def restore(description: Any) -> Executable:
    """Return the executable that `describe` described, with its free edges."""
    if isinstance(description, str):
        return TaskReference(description)
    if isinstance(description, Executable):
        return description
    tasks, edges, start = description
    for source, target in edges:
        for task in (tasks[source], tasks[target]):
            if task._links is None:
                task._links = registry.Links()
        tasks[source]._links.successors.append(tasks[target])
        tasks[target]._links.predecessors.append(tasks[source])
    found: Executable = tasks[start]
    return found
