"""The effects record: what a body did, as bytes for the coordinator. Shared words with `graflow_fast._run.processes`.

A record is the pickle of (log, directives, pieces, error): plain tuples in which every user value is bytes of its
own, so the
coordinator applies it without loading what nobody asks for.
"""

from __future__ import annotations

from typing import Any

from graflow_fast._run import crossing
from graflow_fast._run.serialization import explain_unpicklable
from graflow_fast.core import registry
from graflow_fast.core.task import Executable, SequentialTask, TaskReference
from graflow_fast.exceptions import TaskSerializationError


def pack(
    task_id: str, log: list[Any] | None, directives: list[Any] | None, pieces: list[Any] | None, error: Any
) -> bytes:
    """Return the record.

    Raises:
        TaskSerializationError: a written value or something passed to ``next_task`` can't be pickled.
    """
    packed_log = pack_log(task_id, log) if log else None
    packed_directives = [_pack_directive(task_id, directive) for directive in directives] if directives else None
    return crossing.pack((packed_log, packed_directives, pieces, error), [])


def adopt(log: Any, directives: Any) -> tuple[Any, Any]:
    """Return a record's log and directives with the shared memory that their values name held here.

    Raises:
        LookupError: it is gone, with the worker.
    """
    if log:
        log = [
            (operation, key, data if data is None else crossing.adopt(data), expires)
            for operation, key, data, expires in log
        ]
    if directives:
        directives = [
            tuple(crossing.adopt(part) if isinstance(part, bytes) else part for part in directive)
            for directive in directives
        ]
    return log, directives


def pack_log(task_id: str, log: list[Any]) -> list[tuple[str, str, bytes | None, float | None]]:
    """Return a log of channel operations with each value as bytes.

    Raises:
        TaskSerializationError: a value can't be pickled.
    """
    return [
        (
            operation,
            key,
            None if operation in ("delete", "clear") else _pack(task_id, f"channel value '{key}'", value),
            expires,
        )
        for operation, key, value, expires in log
    ]


def pack_result(task_id: str, result: Any) -> bytes:
    """Return a result as bytes.

    Raises:
        TaskSerializationError: it can't be pickled.
    """
    return _pack(task_id, "result", result)


def pack_error(error: BaseException, trace: str) -> tuple[bytes | None, str, str, str]:
    """Return an exception as (its pickle or None, type name, message, traceback): always something to show."""
    try:
        message = str(error)
    except Exception as broken:
        message = f"(its message could not be made: {type(broken).__name__})"
    data: bytes | None
    try:
        data = crossing.dumps(error)
        crossing.loads(data)
    except Exception:
        data = None
    return data, type(error).__qualname__, message, trace


def unloadable(error: BaseException) -> BaseException:
    """Return the error for a body or an argument that arrived but could not be loaded here."""
    if isinstance(error, Exception):
        return TaskSerializationError("?", "function", "", error)
    return error


def _pack(task_id: str, what: str, value: Any) -> bytes:
    try:
        return crossing.dumps(value)
    except Exception as error:
        raise explain_unpicklable(task_id, what, value, error) from error


def _pack_directive(task_id: str, directive: tuple[Any, ...]) -> tuple[Any, ...]:
    kind = directive[0]
    if kind == "next":
        return (
            kind,
            _pack(task_id, f"task '{directive[1].task_id}' for next_task()", describe(directive[1])),
            directive[2],
        )
    if kind == "iterate":
        data = directive[2]
        return kind, directive[1], None if data is None else _pack(task_id, "data for next_iteration()", data)
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
