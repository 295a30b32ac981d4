"""What bodies change of their process: signal handlers, timers, directory, environment, streams, limits, the workflow.

Owns noticing such a change and undoing it after the task, since the next task of this worker may be anybody's: which
tasks share a worker is a matter of timing, and must not show. Tasks that change none of it pay for one comparison.
"""

from __future__ import annotations

import os
import sys
import types  # while the class of `sys` is still its own: this module takes it for that of all modules

from graflow_fast._wire.imports import when_imported
from graflow_fast._worker import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import Any
else:
    import _signal

#: Knows the current workflow; imported when a body needs it.
_REGISTRY = "graflow_fast.core.registry"

#: True when a task has changed something since `restore`.
changed = False

#: The module `signal` sets handlers by this, too.
_set_handler = _signal.signal
_set_timer = _signal.setitimer
_handlers: dict[int, Any] = {}
_directory: str | None = None
_environment: dict[str, str] = {}
_streams: tuple[Any, Any] = (None, None)
_recursion_limit = sys.getrecursionlimit()
_tracers: tuple[Any, Any] = (None, None)
#: Sets again what the program has set for its own process, as far as a body may have changed it.
set_again: Callable[[], None] = lambda: None  # noqa: E731
_timers = (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF)


def install() -> None:
    """Take the surroundings as they are now for those of every task, and notice what tasks change."""
    take()
    _signal.signal = _noting_handlers(_set_handler)
    for module, names in (
        (os, ("chdir", "fchdir", "putenv", "unsetenv")),
        (_signal, ("alarm", "setitimer")),
        (sys, ("setrecursionlimit", "settrace", "setprofile")),
    ):
        _note_calls(module, names)
    for name in ("close", "closerange", "dup2"):
        setattr(os, name, _doubting(getattr(os, name)))
    when_imported(_REGISTRY, lambda registry: _note_calls(registry, ("make_current",)))
    if "signal" in sys.modules:  # else it takes these when it is imported
        signal = sys.modules["signal"]
        signal.alarm, signal.setitimer = _signal.alarm, _signal.setitimer  # type: ignore[attr-defined]
    when_imported("subprocess", _leave_out_own_flags)
    when_imported("copyreg", lambda copyreg: copyreg.pickle(_NotingSys, _reduce))
    sys.__class__ = _NotingSys


def take() -> None:
    """Take the surroundings as they are now for those of every task from now on."""
    global _directory, _recursion_limit, _streams, _tracers, changed
    _streams = sys.stdout, sys.stderr
    _tracers = sys.gettrace(), sys.getprofile()
    _recursion_limit = sys.getrecursionlimit()
    try:
        _directory = os.getcwd()
    except OSError:
        _directory = None  # it is gone, so there is no way back to it
    _environment.clear()
    _environment.update(os.environ)
    _handlers.clear()
    output.adopt()
    changed = False


def restore() -> None:
    """Undo what the task changed."""
    global changed
    for timer in _timers:
        _set_timer(timer, 0)  # or it would kill the next task
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
        try:
            os.chdir(_directory)
        except OSError:
            pass
    for name in [name for name in os.environ if name not in _environment]:
        del os.environ[name]
    for name, value in _environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    registry = sys.modules.get(_REGISTRY)
    if registry is not None:
        registry.current_workflow.set(None)
    set_again()
    changed = False


def use_recursion_limit(limit: int) -> None:
    """Take another recursion limit for that of every task."""
    global _recursion_limit
    _recursion_limit = limit
    sys.setrecursionlimit.__wrapped__(limit)  # type: ignore[attr-defined]


def _leave_out_own_flags(subprocess: Any) -> None:
    """Have interpreters that bodies start look for packages as the program's does: this one was told where they are."""
    flags = subprocess._args_from_interpreter_flags
    subprocess._args_from_interpreter_flags = lambda: [flag for flag in flags() if flag != "-S"]


class _NotingSys(types.ModuleType):
    """The class of `sys` here: somebody who puts another standard stream in place is noticed."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("stdout", "stderr"):
            note()
        super().__setattr__(name, value)


def _reduce(module: types.ModuleType) -> tuple[Callable[..., types.ModuleType], tuple[str]]:
    from importlib import import_module

    return import_module, (module.__name__,)


def _note_calls(module: types.ModuleType, names: tuple[str, ...]) -> None:
    for name in names:
        setattr(module, name, _noting(getattr(module, name)))


def note() -> None:
    """Have the surroundings restored after the running task."""
    global changed
    if not changed:
        changed = True
        output.mark()


def _noting(function: Callable[..., Any]) -> Callable[..., Any]:
    def noting(*arguments: Any, **options: Any) -> Any:
        note()
        return function(*arguments, **options)

    return named_as(function, noting)


def _doubting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have descriptors 1 and 2 looked at after the running task, however short: this may concern them."""

    def doubting(*arguments: Any, **options: Any) -> Any:
        output.doubt()
        return function(*arguments, **options)

    return named_as(function, doubting)


def _noting_handlers(function: Callable[..., Any]) -> Callable[..., Any]:
    def noting(signalnum: Any, handler: Any) -> Any:
        previous = function(signalnum, handler)
        note()
        _handlers.setdefault(int(signalnum), previous)
        return previous

    return named_as(function, noting)


def named_as(function: Callable[..., Any], noting: Callable[..., Any]) -> Callable[..., Any]:
    """Do what `functools.wraps` would, which is slow to import."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(noting, name, getattr(function, name))
    noting.__wrapped__ = function  # type: ignore[attr-defined]
    return noting
