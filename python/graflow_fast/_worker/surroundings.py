"""What bodies change of their process: signal handlers, working directory, environment variables.

Owns noticing such a change and undoing it after the task, since the next task of this worker may be anybody's: which
tasks share a worker is a matter of timing, and must not show. Tasks that change none of it pay for one comparison.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Callable
from typing import Any

from graflow_fast._worker import output

#: True when a task has changed something since `restore`.
changed = False

_set_handler = signal.signal
_handlers: dict[int, Any] = {}
_directory: str | None = None
_environment: dict[str, str] = {}


def install() -> None:
    """Take the surroundings as they are now for those of every task."""
    global _directory
    with contextlib.suppress(OSError):  # it is gone, so there is no way back to it
        _directory = os.getcwd()
    _environment.update(os.environ)
    signal.signal = _noting_handlers(_set_handler)
    for name in ("chdir", "fchdir", "putenv", "unsetenv"):
        setattr(os, name, _noting(getattr(os, name)))


def restore() -> None:
    """Undo what the task changed."""
    global changed
    if signal.SIGALRM in _handlers:
        signal.setitimer(signal.ITIMER_REAL, 0)  # or it would kill the next task
    while _handlers:
        number, handler = _handlers.popitem()
        if handler is not None:  # one that C code has put there can't be put back
            _set_handler(number, handler)
    if _directory is not None:
        with contextlib.suppress(OSError):
            os.chdir(_directory)
    for name in [name for name in os.environ if name not in _environment]:
        del os.environ[name]
    for name, value in _environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    changed = False


def _note() -> None:
    global changed
    if not changed:
        changed = True
        output.mark()


def _noting(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def noting(*arguments: Any, **options: Any) -> Any:
        _note()
        return function(*arguments, **options)

    return noting


def _noting_handlers(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def noting(signalnum: Any, handler: Any) -> Any:
        previous = function(signalnum, handler)
        _note()
        _handlers.setdefault(int(signalnum), previous)
        return previous

    return noting
