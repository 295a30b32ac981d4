"""Packages that are needed only for some features, and features that graflow_fast does not have.

Owns the error messages for them, also that for a compiled part that can't be loaded, and nothing else. Must not know
the features.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ["AbsentFeatureError", "absent", "import_extra", "no_compiled_part", "without"]


class AbsentFeatureError(ImportError):
    """A part of graflow that graflow_fast leaves out on purpose."""


def absent(module: str, feature: str, instead: str) -> NoReturn:
    """Refuse to import a module that stands where graflow has one.

    Args:
        module: The module's ``__name__``.
        feature: What it would be, as in "graflow_fast has no ...".
        instead: What to do, as a sentence without its full stop.

    Raises:
        AbsentFeatureError: Always.
    """
    raise AbsentFeatureError(f"graflow_fast has no {feature}. {instead}", name=module)


def without(module: str, **names: str) -> Callable[[str], NoReturn]:
    """Return a module's ``__getattr__`` that refuses names which graflow has there.

    Args:
        module: The module's ``__name__``.
        **names: What to use instead, by name.
    """

    def missing(name: str) -> NoReturn:
        if name in names:
            raise AbsentFeatureError(f"graflow_fast has no {module}.{name}: {names[name]}", name=module)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return missing


def import_extra(module: str, extra: str, purpose: str) -> Any:
    """Import a package that is not among the required ones.

    Args:
        module: What to import.
        extra: The extra of graflow-fast that installs it.
        purpose: What it is needed for, to start the error message with.

    Raises:
        ImportError: It is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(f"{purpose} needs {package}: pip install 'graflow-fast[{extra}]'", name=package) from error


def no_compiled_part(error: ImportError) -> ImportError:
    """Return the error that says why ``graflow_fast._core`` can't be loaded, in the words of who wants to use it."""
    if "subinterpreters" in str(error):
        text = (
            "graflow_fast can't be used in a sub-interpreter, since its compiled part has one state for the whole "
            "process: use it in the main one (mod_wsgi: WSGIApplicationGroup %{GLOBAL})"
        )
    elif isinstance(error, ModuleNotFoundError):
        version = f"Python {sys.version_info[0]}.{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
        text = (
            f"graflow_fast's compiled part is not there for {version}: install the package with this interpreter "
            f"({sys.executable} -m pip install --force-reinstall graflow-fast)"
        )
    else:
        return error
    return ImportError(text, name="graflow_fast._core")
