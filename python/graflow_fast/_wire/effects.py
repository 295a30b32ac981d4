"""Effects that are not plain: values to be explained, exceptions, fragments for ``next_task``. Used at both ends.

The record around them is `rust/wire/src/record.rs`'s; every value of the user in it is bytes of its own, so the
coordinator applies it without loading what nobody asks for.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

from graflow_fast._tracebacks import user_lines
from graflow_fast._wire import crossing, exception_pickling
from graflow_fast._wire.imports import import_late
from graflow_fast.core import registry
from graflow_fast.core.composition import Fragment
from graflow_fast.core.task import Executable, SequentialTask, TaskReference
from graflow_fast.exceptions import GraflowRuntimeError, RemoteTaskError, TaskSerializationError

PICKLING = "graflow_fast._wire.pickling"
_MADE_TASKS = "graflow_fast._wire.made_tasks"

_WORDS = {"result": "the result", "data": "data for next_iteration()", "key": "a key of the channel"}


def pack_value(task_id: str, what: str, key: Any, value: Any) -> bytes:
    """Return a value as bytes.

    Args:
        task_id: the task whose body it came from.
        what: what it is: "result", "write" (under ``key``), "key", or "data" (of an iteration).
        key: the key of a write.
        value: the value.

    Raises:
        TaskSerializationError: it can't be pickled.
    """
    if what == "write":
        return _pack(task_id, f"channel value '{key}'", value, str(key))
    return _pack(task_id, _WORDS[what], value, what)


def pack_log(task_id: str, log: list[Any]) -> list[tuple[str, str, bytes | None, float | None]]:
    """Return a log of channel operations with each value as bytes.

    Raises:
        TaskSerializationError: a value can't be pickled.
    """
    return [
        (
            operation,
            key,
            None if operation in ("delete", "clear") else pack_value(task_id, "write", key, value),
            expires,
        )
        for operation, key, value, expires in log
    ]


def pack_piece(content: Any) -> bytes:
    """Return a piece of output as bytes; of what can't be pickled, what it looks like."""
    try:
        return pickle.dumps(content, protocol=crossing.PROTOCOL)
    except Exception:
        return pickle.dumps(f"<{type(content).__name__} that can't be shown>", protocol=crossing.PROTOCOL)


def pack_error(error: BaseException) -> tuple[bytes, bytes]:
    """Return an exception as (bytes for `unpack_error`, its traceback without our lines): always something to show."""
    if PICKLING not in sys.modules:
        import_late(PICKLING)
    return exception_pickling.pack(error), _traceback(error).encode("utf-8", "backslashreplace")


def _traceback(error: BaseException) -> str:
    try:
        shown = import_late("traceback").format_exception(type(error), error, user_lines(error.__traceback__))
        return "".join(shown)
    except Exception:
        return f"{type(error).__name__} (its traceback could not be formatted: {sys.exc_info()[1]!r})"


def unpack_error(task_id: str, packed: tuple[bytes, bytes]) -> BaseException:
    """Return the exception that a body raised, with the worker's traceback; what can't be rebuilt has a stand-in."""
    data, trace = packed[0], packed[1].decode("utf-8", "replace")
    error = exception_pickling.unpack(data)
    if isinstance(error, RemoteTaskError) and not error.task_id:
        return RemoteTaskError(task_id, error.type_name, error.message, trace, error.type_names)
    if isinstance(error, TaskSerializationError) and error.task_id == "?":
        error = TaskSerializationError(task_id, error.what, error.path, error.cause)
    attach_remote_traceback(error, trace)
    return error


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
    if isinstance(error, GraflowRuntimeError):
        return error  # a module that runs a workflow when it is imported
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
        from graflow_fast._wire.serialization import explain_unpicklable

        raise explain_unpicklable(task_id, what, value, error, name) from error


def pack_task(task_id: str, made: Executable) -> bytes:
    """Return a task without edges that a body made as bytes.

    Raises:
        TaskSerializationError: something in it can't be pickled.
    """
    packed: bytes | None = import_late(_MADE_TASKS).pack(made)
    return _pack_task(task_id, _what(made), made) if packed is None else packed


def _what(made: Executable) -> str:
    return f"task '{made.task_id}' for next_task()"


def _pack_task(task_id: str, what: str, value: Any) -> bytes:
    try:
        data: bytes = import_late(PICKLING).dump_directive(value)
    except Exception:
        return _pack(task_id, what, value, "task")
    return data


def pack_directive(task_id: str, directive: tuple[Any, ...]) -> bytes:
    """Return one thing that a body asked for as bytes.

    Raises:
        TaskSerializationError: something in it can't be pickled.
    """
    return pickle.dumps(packed_directive(task_id, directive), protocol=crossing.PROTOCOL)


def packed_directive(task_id: str, directive: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return one thing that a body asked for with each value of the user as bytes.

    Raises:
        TaskSerializationError: something in it can't be pickled.
    """
    kind = directive[0]
    if kind == "next":
        return kind, _pack_task(task_id, _what(directive[1]), describe(directive[1])), directive[2]
    if kind == "iterate":
        data = directive[2]
        return kind, directive[1], None if data is None else pack_value(task_id, "data", None, data)
    if kind == "node":
        return kind, directive[1], _pack_task(task_id, f"task '{directive[1]}' for the graph", directive[2])
    return directive


def describe(executable: Executable) -> Any:
    """Return what stands for an executable on the way: its name, or (tasks, edges by index, index of the start)."""
    start = executable.leftmost if isinstance(executable, SequentialTask) else executable
    made = executable.made if isinstance(executable, Fragment) else None
    if not registry.is_linked(start, made):
        if isinstance(start, TaskReference):
            return start.task_id
        if not start.is_group:
            return start
    component = registry.linked_component(start, made)
    index = {id(task): position for position, task in enumerate(component)}
    edges = [
        (index[id(task)], index[id(successor)])
        for task in component
        for successor in registry.successors_by_free_edges(task, made)
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
