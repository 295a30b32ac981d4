"""Whose a function, a class or a module is: of the user's own files, or of something installed, which has a version.

Owns that rule, and the names under which things are parts of a key: the same in the program and in its workers. Must
not know what is inside of them.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import sysconfig
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["installed_version", "is_own", "is_own_code", "is_own_name", "module_name", "own_name"]

#: Where the standard library and installed packages are.
_INSTALLED = tuple(
    {os.path.realpath(place) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
     if (place := sysconfig.get_path(name))}
)  # fmt: skip

_OURS = __name__.partition(".")[0]


def is_own(thing: Any) -> bool:
    """Say whether something is of the user's own files: neither built in, nor of the library, nor installed.

    A function that a decorator of a package has made, as `contextlib.contextmanager` does, is the user's as well: what
    it does is what it was made of.
    """
    if isinstance(thing, FunctionType):
        if str(thing.__module__).partition(".")[0] == _OURS:
            return False
        return is_own_code(thing) or not _is_found(thing)
    module = thing if isinstance(thing, ModuleType) else sys.modules.get(getattr(thing, "__module__", None) or "")
    if module is None or module.__name__ == "__main__":
        return True
    if module.__name__.partition(".")[0] == _OURS:
        return False
    file = getattr(module, "__file__", None)
    if file is not None:
        return not _is_installed(file)
    # A package without a file of its own is a folder, or several; what is built in has neither.
    folders = list(getattr(module, "__path__", ()))
    return bool(folders) and not any(map(_is_installed, folders))


def is_own_code(function: FunctionType) -> bool:
    """Say whether the code of a function stands in one of the user's own files."""
    return not _is_installed(function.__code__.co_filename)


def _is_found(function: FunctionType) -> bool:
    """Say whether a function is what an installed module has under its name."""
    found: Any = sys.modules.get(function.__module__)
    if found is None or is_own(found):
        return False
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


@functools.cache
def _is_installed(file: str) -> bool:
    return os.path.realpath(file).startswith(_INSTALLED)


@functools.cache
def is_own_name(module: str) -> bool:
    """Say the same of a module by its name, without importing it: what is installed may take long."""
    top = module.partition(".")[0]
    if top == "__main__":
        return True
    if top in sys.stdlib_module_names or top == _OURS:
        return False
    found = sys.modules.get(top)
    if found is not None:
        return is_own(found)
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return True
    places = [] if spec is None else [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return not any(_is_installed(place or "") for place in places)


def module_name(thing: Any) -> str:
    """Return the name of the module that something belongs to; for functions of a program, its file's."""
    name = str(getattr(thing, "__module__", None) or "")
    code = getattr(thing, "__code__", None)
    if name != "__main__" or code is None:
        return name
    folder, file = os.path.split(code.co_filename)
    if file.startswith("<") or os.path.basename(folder).startswith("ipykernel_"):
        return name  # typed in: what stands for a file is another one each time
    return str(os.path.splitext(file)[0])


def installed_version(thing: Any) -> tuple[str, ...]:
    """Return what stands for something that is not the user's: its name, and the version of where it comes from.

    Args:
        thing: a module, by itself or by its name, or something of it.
    """
    if isinstance(thing, str):
        return thing, thing, _version(thing.partition(".")[0])
    module = str(getattr(thing, "__name__" if isinstance(thing, ModuleType) else "__module__", None) or "")
    return module, own_name(thing), _version(module.partition(".")[0])


def own_name(thing: Any) -> str:
    """Return the name that something has within its module."""
    return str(getattr(thing, "__qualname__", None) or getattr(thing, "__name__", type(thing).__name__))


@functools.cache
def _version(package: str) -> str:
    if package in sys.stdlib_module_names or package in ("", "__main__"):
        return f"python {sys.version_info[0]}.{sys.version_info[1]}"
    from importlib import metadata

    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        pass
    stated = getattr(sys.modules.get(package), "__version__", None)
    if isinstance(stated, str):
        return f"{package} {stated}"
    try:  # reads the list of files of all that is installed, so last of all
        names = metadata.packages_distributions().get(package, ())  # type: ignore[attr-defined, unused-ignore]
        return " ".join(f"{name} {metadata.version(name)}" for name in sorted(set(names)))
    except (metadata.PackageNotFoundError, AttributeError):
        return ""
