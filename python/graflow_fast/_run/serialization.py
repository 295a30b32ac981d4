"""Why a value can't be pickled: the path to the offending part, for the error message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graflow_fast.exceptions import TaskSerializationError

_DEEPEST = 8


def explain_unpicklable(task_id: str, what: str, value: Any, error: BaseException) -> TaskSerializationError:
    """Return the error that names task, value and the path to the part that can't be pickled."""
    path = _find(value, "", 0, set())
    return TaskSerializationError(task_id, what, path, error if isinstance(error, Exception) else None)


def _find(value: Any, path: str, depth: int, seen: set[int]) -> str:
    """Return the path from ``value`` to the smallest part that can't be pickled, '' when it is ``value`` itself."""
    if depth >= _DEEPEST or id(value) in seen:
        return path
    seen.add(id(value))
    for step, part in _parts(value):
        if not _can_pickle(part):
            return _find(part, path + step, depth + 1, seen)
    return path


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in list(value.items())[:1000]:
            yield f"[{key!r}]", part
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, part in enumerate(list(value)[:1000]):
            yield f"[{index}]", part
    elif callable(value) and hasattr(value, "__closure__"):
        names = value.__code__.co_freevars
        for name, cell in zip(names, value.__closure__ or (), strict=False):
            try:
                yield f".<captured {name}>", cell.cell_contents
            except ValueError:
                continue
        for name in value.__code__.co_names:
            if name in value.__globals__:
                yield f".<global {name}>", value.__globals__[name]
    else:
        for name, part in list(getattr(value, "__dict__", {}).items())[:1000]:
            yield f".{name}", part


def _can_pickle(value: Any) -> bool:
    from graflow_fast._run.pickling import try_to_dump

    try:
        try_to_dump(value)
    except Exception:
        return False
    return True
