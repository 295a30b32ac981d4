"""What bodies change of their process: signal handlers, timers, directory, environment, streams, limits, the workflow.

Owns noticing such a change and undoing it after the task, since the next task of this worker may be anybody's: which
tasks share a worker is a matter of timing, and must not show. Tasks that change none of it pay for one comparison.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import importlib
import os
import signal
import sys
import types
from collections.abc import Callable
from typing import Any

from graflow_fast._worker import output
from graflow_fast.core import registry

#: True when a task has changed something since `restore`.
changed = False

_set_handler = signal.signal
_handlers: dict[int, Any] = {}
_directory: str | None = None
_environment: dict[str, str] = {}
_streams: tuple[Any, Any] = (None, None)
_recursion_limit = sys.getrecursionlimit()
_tracers: tuple[Any, Any] = (None, None)
_timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


def install() -> None:
    """Take the surroundings as they are now for those of every task."""
    global _directory, _recursion_limit, _streams, _tracers
    _streams = sys.stdout, sys.stderr
    _tracers = sys.gettrace(), sys.getprofile()
    _recursion_limit = sys.getrecursionlimit()
    with contextlib.suppress(OSError):  # it is gone, so there is no way back to it
        _directory = os.getcwd()
    _environment.update(os.environ)
    signal.signal = _noting_handlers(_set_handler)
    for module, names in (
        (os, ("chdir", "fchdir", "putenv", "unsetenv")),
        (signal, ("alarm", "setitimer")),
        (sys, ("setrecursionlimit", "settrace", "setprofile")),
        (registry, ("make_current",)),
    ):
        for name in names:
            setattr(module, name, _noting(getattr(module, name)))
    copyreg.pickle(_NotingSys, _reduce)  # type: ignore[arg-type]  # the class of what it returns is sys's own there
    sys.__class__ = _NotingSys


def restore() -> None:
    """Undo what the task changed."""
    global changed
    for timer in _timers:
        signal.setitimer(timer, 0)  # or it would kill the next task
    while _handlers:
        number, handler = _handlers.popitem()
        if handler is not None:  # one that C code has put there can't be put back
            _set_handler(number, handler)
    if (sys.stdout, sys.stderr) != _streams:
        sys.stdout, sys.stderr = _streams
    sys.settrace(_tracers[0])
    sys.setprofile(_tracers[1])
    sys.setrecursionlimit(_recursion_limit)
    if _directory is not None:
        with contextlib.suppress(OSError):
            os.chdir(_directory)
    for name in [name for name in os.environ if name not in _environment]:
        del os.environ[name]
    for name, value in _environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    registry.current_workflow.set(None)
    changed = False


class _NotingSys(types.ModuleType):
    """The class of `sys` here: somebody who puts another standard stream in place is noticed."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("stdout", "stderr"):
            _note()
        super().__setattr__(name, value)


def _reduce(module: types.ModuleType) -> tuple[Callable[..., types.ModuleType], tuple[str]]:
    return importlib.import_module, (module.__name__,)


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
