"""Parts of graflow that are not here, taken from an installed graflow: they run on this engine.

Owns finding graflow's files and reading them so that what they import from ``graflow`` is this package's: graflow
itself is never imported. Must not know what the parts do.
"""

from __future__ import annotations

import ast
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader

from graflow_fast._extras import AbsentFeatureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

_PACKAGE = __name__.partition(".")[0]
_GRAFLOW = "graflow"


def borrow(module: str, feature: str) -> None:
    """Fill a module of this package with graflow's of the same place.

    Args:
        module: the module's ``__name__``; it is the one that is being imported.
        feature: what it is, as in "graflow_fast has no ... of its own".

    Raises:
        AbsentFeatureError: graflow is not installed; the message says what to install.
    """
    root = _installed()
    place = module.split(".")[1:]
    file = "" if root is None else os.path.join(root, *place)
    is_package = os.path.isdir(file)
    path = os.path.join(file, "__init__.py") if is_package else f"{file}.py"
    if root is None or not os.path.exists(path):
        raise AbsentFeatureError(
            f"graflow_fast has no {feature} of its own; graflow's work on it: pip install 'graflow-fast[graflow]'",
            name=module,
        )
    target = sys.modules[module]
    target.__file__ = path
    if is_package:
        target.__path__ = [file]
        if target.__spec__ is not None:
            target.__spec__.submodule_search_locations = [file]
        if BorrowedFinder not in sys.meta_path:
            sys.meta_path.insert(0, BorrowedFinder)
    code = BorrowedLoader(module, path).get_code(module)
    exec(code, target.__dict__)


def lent(module: str, without: str) -> ModuleType:
    """Return a borrowed module, for what a run lends its bodies.

    Args:
        module: its name below this package.
        without: what to say where graflow is not installed.

    Raises:
        ConfigError: it is not.
    """
    from importlib import import_module

    from graflow_fast.exceptions import ConfigError

    try:
        return import_module(f"{_PACKAGE}.{module}")
    except AbsentFeatureError:
        raise ConfigError(without) from None


def is_installed() -> bool:
    """Say whether there is a graflow to borrow from."""
    return _installed() is not None


def _installed() -> str | None:
    """Return the folder of an installed graflow, None when there is none."""
    spec = PathFinder.find_spec(_GRAFLOW)
    folders = None if spec is None else spec.submodule_search_locations
    return next(iter(folders), None) if folders else None


class BorrowedFinder(MetaPathFinder):
    """Finds what lies below a borrowed package."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how to import a module of graflow's below a borrowed package; None for any other."""
        root = _installed() if path and name.startswith(f"{_PACKAGE}.") else None
        if root is None or path is None or not path[0].startswith(root + os.sep):
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = BorrowedLoader(spec.loader.name, spec.loader.path)
            spec.cached = None
        return spec


class BorrowedLoader(SourceFileLoader):
    """Reads a file of graflow's whose imports of ``graflow`` are to be those of this package."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file anew: what is cached beside it belongs to graflow."""
        path = self.get_filename(fullname)
        tree = _Renaming().visit(ast.parse(self.get_data(path), path))
        code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        return code


class _Renaming(ast.NodeTransformer):
    """Lets imports name this package."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.level == 0 and node.module is not None and node.module.partition(".")[0] == _GRAFLOW:
            node.module = _PACKAGE + node.module[len(_GRAFLOW) :]
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST | list[ast.AST]:
        found: list[ast.AST] = []
        for alias in node.names:
            if alias.name.partition(".")[0] != _GRAFLOW:
                found.append(ast.Import([alias]))
                continue
            ours = _PACKAGE + alias.name[len(_GRAFLOW) :]
            if alias.asname is None and ours != _PACKAGE:
                found.append(ast.Import([ast.alias(ours)]))
            is_leaf = alias.asname is not None
            found.append(ast.Import([ast.alias(ours if is_leaf else _PACKAGE, alias.asname or _GRAFLOW)]))
        return [ast.copy_location(each, node) for each in found]
