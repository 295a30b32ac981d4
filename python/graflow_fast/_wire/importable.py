"""Whether something crosses to a worker by its name alone, since it can be imported there. Knows no pickles."""

from __future__ import annotations

# A worker waits for these before its first task.
import sys

from graflow_fast._wire import crossing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

#: The modules that were looked for, by name; and the names of those that the import system would not find again.
_looked_for: dict[str, ModuleType | None] = {}
_not_found: set[str] = set()


def is_importable(obj: Any) -> bool:
    """Say whether a class, a function or the like is what its module has under its name."""
    module = getattr(obj, "__module__", None)
    if type(module) is not str or module in ("__main__", "__mp_main__") or is_sent_by_value(module):
        return False
    found: Any = sys.modules.get(module)
    path = str(getattr(obj, "__qualname__", ""))
    if "." not in path:
        return getattr(found, path, None) is obj
    for name in path.split("."):
        found = getattr(found, name, None)
    return found is obj


def is_sent_by_value(module: str) -> bool:
    """Say whether a module's content crosses, not its name.

    Either the user has asked cloudpickle for it, or for its package; or a worker would not find it: it was loaded by
    file or made (a plug-in, a test that pytest imports by file, ``runpy``), or its name leads to another file.
    """
    # What is in a worker was imported there.
    if crossing.received is None and _looked_for.get(module, _looked_for) is not sys.modules.get(module):
        _look_for(module)
    cloudpickle = sys.modules.get("cloudpickle")
    asked = cloudpickle.list_registry_pickle_by_value() if cloudpickle is not None else ()
    return bool(asked) and any(module == name or module.startswith(f"{name}.") for name in asked)


def is_importable_module(name: Any) -> bool:
    """Say whether a worker imports a module by that name: it is not the program's own file, nor sent by value."""
    return type(name) is str and name not in ("__main__", "__mp_main__") and not is_sent_by_value(name)


def variable_of(module: str, name: str) -> Any:
    """Return what a module has under a name here; called when a pickle is loaded."""
    import importlib

    return getattr(importlib.import_module(module), name)


def _look_for(name: str) -> None:
    """Tell cloudpickle of a module that can't be found by its name; what it does by value, it does in full."""
    module = _looked_for[name] = sys.modules.get(name)
    # One of another name is there under this one, too: cloudpickle could not be told.
    if type(module) is not type(sys) or name in ("__main__", "__mp_main__") or module.__name__ != name:
        return
    if not _is_found(name, module):
        import cloudpickle

        cloudpickle.register_pickle_by_value(module)
        _not_found.add(name)
    elif name in _not_found:
        import cloudpickle

        cloudpickle.unregister_pickle_by_value(module)
        _not_found.discard(name)


def _is_found(name: str, module: ModuleType) -> bool:
    """Say whether the import system, which is the same in a worker, leads to a module by its name."""
    package, _, tail = name.rpartition(".")
    path = None
    if package:
        if is_sent_by_value(package):
            return False
        path = getattr(sys.modules.get(package), "__path__", None)
        if path is None:  # its package makes it in a way of its own
            return True
    spec = getattr(module, "__spec__", None)
    if spec is not None and (spec.origin in ("built-in", "frozen") or _is_in(spec.origin, tail, path or sys.path)):
        return True
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = None if find is None else find(name, path)
        if spec is not None:
            return _is_same_file(getattr(module, "__file__", None), spec.origin)
    return False


def _is_in(file: Any, name: str, folders: Any) -> bool:
    """Say whether a file is what one of the folders has under a name: so it need not be looked for."""
    if type(file) is not str:
        return False
    folder, _, own = file.rpartition("/")
    if own.partition(".")[0] == "__init__":
        folder, _, own = folder.rpartition("/")
    return own.partition(".")[0] == name and folder in folders


def _is_same_file(file: Any, found: Any) -> bool:
    """Say whether two paths name one file, as far as both name any."""
    if type(file) is not str or type(found) is not str or file == found:
        return True
    import os.path

    try:
        return os.path.samefile(file, found)
    except OSError:
        return True
