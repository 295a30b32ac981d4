"""Importing what a first result does not wait for: later, and whatever bodies have done to this process meanwhile.

Owns also being told when a module is imported: what must be done to it costs nothing as long as nobody needs it.
"""

from __future__ import annotations

import os
import sys
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

#: The search path as it was, and a descriptor to be closed when no other is left, with what identifies it.
_path: list[str] = []
_spare: tuple[int, tuple[int, int]] | None = None
#: Bodies may print in several threads.
_importing = RLock()
os.register_at_fork(after_in_child=_importing._at_fork_reinit)  # type: ignore[attr-defined]
#: What `import_late` has imported: another thread may find a module in `sys.modules` before it is complete.
_ready: dict[str, ModuleType] = {}
_awaited: dict[str, list[Callable[[ModuleType], None]]] = {}


def prepare() -> None:
    """Take the search path as it is now for that of `import_late`, and put a descriptor by."""
    _path[:] = sys.path
    _put_by()


def import_late(name: str) -> Any:
    """Return the module of that name, imported now if it is not there yet."""
    module = _ready.get(name)
    if module is None:
        with _importing:
            if _path:
                _import_anyway(name)
            else:
                __import__(name)
            module = _ready[name] = sys.modules[name]
    return module


def _import_anyway(name: str) -> None:
    """Import a module although a body may have changed the search path, or left no descriptor."""
    _use_spare()
    outer, sys.path[:] = sys.path[:], _path
    try:
        __import__(name)
    finally:
        sys.path[:] = outer
        _put_by()


def _put_by() -> None:
    global _spare
    try:
        fd = os.memfd_create("graflow-spare")
        os.fchmod(fd, 0o600)
        _spare = fd, _file_of(fd)
    except OSError:
        _spare = None


def _use_spare() -> None:
    """Close it, unless a body has, and something else has its number now."""
    global _spare
    if _spare is not None:
        (fd, file), _spare = _spare, None
        try:
            if _file_of(fd) == file:
                os.close(fd)
        except OSError:
            pass


def _file_of(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def is_importing() -> bool:
    """Say whether some module is being imported by what this thread runs."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "_load_unlocked" and code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def when_imported(name: str, call: Callable[[ModuleType], None]) -> None:
    """Call that with the module of that name: now if it is there, else as soon as it has been imported."""
    module = sys.modules.get(name)
    if module is not None:
        call(module)
        return
    _awaited.setdefault(name, []).append(call)
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


class _Finder:
    """Finds awaited modules as the other finders do, and has their loaders tell of them."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in _awaited:
            return None
        for finder in sys.meta_path:
            find = None if finder is _Finder else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                found: ModuleSpec = spec
                return found
        return None


class _Loader:
    """Stands in front of a module's own loader until the module is there."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        calls = _awaited.pop(module.__name__, ())
        if not _awaited and _Finder in sys.meta_path:
            sys.meta_path.remove(_Finder)
        for call in calls:
            call(module)
