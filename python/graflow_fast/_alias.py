"""The name ``graflow`` as another name of this package: ``graflow.core.task`` is the module ``graflow_fast.core.task``.

Owns the finder that Python's import system asks for that. It makes no modules: each has one object under two names, so
classes, pickles, monkeypatches and reloads are those of this package, whether graflow is installed or not. Must not
know what the modules are.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_NAME = "graflow"
_PACKAGE = __name__.partition(".")[0]


class GraflowFinder:
    """Finds ``graflow`` and all below it here; a name that is not here is left to the finders behind it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how to import a module of that name; None when it is no module of graflow or is not here."""
        if name != _NAME and not name.startswith(f"{_NAME}."):
            return None
        from importlib.util import find_spec

        ours = find_spec(_PACKAGE + name[len(_NAME) :])
        if ours is None:
            return None
        spec = ModuleSpec(name, AliasLoader(ours.name), origin=ours.origin)
        spec.submodule_search_locations = ours.submodule_search_locations
        return spec


class AliasLoader(Loader):
    """Gives a name to a module that has one already.

    Attributes:
        module_name: the name that it has.
    """

    def __init__(self, module_name: str) -> None:
        self.module_name = module_name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import the module by its own name and return it."""
        from importlib import import_module

        module = import_module(self.module_name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module back the specification of its own, by which it is reloaded and found."""
        module.__spec__ = self._spec


def install() -> None:
    """Let ``import graflow`` mean this package from now on; doing it again changes nothing.

    Raises:
        ImportError: graflow itself has been imported already, so the program would have two engines.
    """
    known = sys.modules.get(_NAME)
    if known is not None and known.__name__ != _PACKAGE:
        raise ImportError(
            "graflow has been imported already, so its names can't mean graflow_fast any more: write 'import "
            "graflow_fast.install' as the program's first line, or start it with 'python -m graflow_fast program.py'",
            name=_NAME,
        )
    if not is_installed():
        sys.meta_path.insert(0, GraflowFinder)


def uninstall() -> None:
    """Let ``import graflow`` mean what is installed under that name again; what was imported before stays as it is."""
    if is_installed():
        sys.meta_path.remove(GraflowFinder)
    for name in [name for name in sys.modules if name == _NAME or name.startswith(f"{_NAME}.")]:
        if sys.modules[name].__name__.partition(".")[0] == _PACKAGE:
            del sys.modules[name]


def is_installed() -> bool:
    """Say whether ``import graflow`` means this package."""
    return GraflowFinder in sys.meta_path
