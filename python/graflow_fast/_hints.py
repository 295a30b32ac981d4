"""Help with what was probably meant: a misspelt name, something that is no task where one is taken.

Knows nothing of what the names stand for.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType

from graflow_fast._tracebacks import add_note

#: So many names are compared; beyond that a hint is not worth the time.
_MOST = 2000


def close_names(name: object, known: Iterable[str]) -> list[str]:
    """Return the known names that ``name`` was probably meant to be, the most likely first."""
    import difflib  # slow to import, and needed only when something went wrong

    names = [other for other, _ in zip(known, range(_MOST), strict=False)]
    if not isinstance(name, str):
        return []
    exact = [other for other in names if other.lower() == name.lower()]
    return exact or difflib.get_close_matches(name, names, n=3)


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?``, empty when no known name is close."""
    close = close_names(name, known)
    return f"Did you mean {' or '.join(repr(match) for match in close)}?" if close else ""


def with_hint(error: BaseException, name: object, known: Iterable[str]) -> BaseException:
    """Add `did_you_mean` to an error whose text must stay as it is, as a note under its traceback."""
    hint = did_you_mean(name, known)
    if hint:
        add_note(error, hint)
    return error


def instead_of(thing: object) -> str:
    """Return what to write where something that is no task stands in a chain or is to run next; empty if who knows."""
    if isinstance(thing, (list, tuple, set)):
        return "for a group: a >> (b | c), or parallel(...)"
    if isinstance(thing, (FunctionType, BuiltinFunctionType, MethodType)):
        return f"put @task above {thing.__name__!r}, or name the task that was made of it"
    return ""
