"""Which module imports which, read from the source: at its top, for types only, and inside functions."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

PACKAGE = "graflow_fast"
ROOT = Path(__file__).parents[2] / "python" / PACKAGE

#: When an import is done.
TOP, TYPES, INSIDE = "at the top", "for types", "in a function"


class Import(NamedTuple):
    """One module that another one imports; names are without the package's."""

    source: str
    target: str
    when: str

    def __str__(self) -> str:
        return f"{self.source} -> {self.target}"


def modules(root: Path = ROOT) -> dict[str, Path]:
    """All modules by name: ``core.task``; a package by its folder's name, the package itself as ``__init__``."""
    found = {}
    for path in [*sorted(root.rglob("*.py")), *sorted(root.rglob("*.pyi"))]:
        parts = list(path.relative_to(root).with_suffix("").parts)
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        found[".".join(parts)] = path
    return found


def imports(root: Path = ROOT) -> list[Import]:
    """All imports of the package's own modules, each once."""
    known = modules(root)
    found: dict[Import, None] = {}
    for source, path in known.items():
        for target, when in _Reader(known, source, path).read():
            if target != source:
                found[Import(source, target, when)] = None
    return list(found)


class _Reader(ast.NodeVisitor):
    def __init__(self, known: dict[str, Path], source: str, path: Path) -> None:
        self._known = known
        self._path = path
        self._folder = source.split(".") if path.name == "__init__.py" else source.split(".")[:-1]
        self._when = TOP
        self._found: list[tuple[str, str]] = []

    def read(self) -> list[tuple[str, str]]:
        self.visit(ast.parse(self._path.read_text(encoding="utf-8")))
        return self._found

    def visit_If(self, node: ast.If) -> None:
        test = node.test
        name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
        if name != "TYPE_CHECKING":
            self.generic_visit(node)
            return
        before, self._when = self._when, TYPES
        for child in node.body:
            self.visit(child)
        self._when = before
        for child in node.orelse:
            self.visit(child)

    def _visit_function(self, node: ast.AST) -> None:
        before, self._when = self._when, INSIDE
        self.generic_visit(node)
        self._when = before

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _visit_function

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            parts = name.name.split(".")
            if parts[0] == PACKAGE:
                self._add(parts[1:])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level:
            base = self._folder[: len(self._folder) - node.level + 1]
            base = base + (node.module.split(".") if node.module else [])
        elif node.module and node.module.split(".")[0] == PACKAGE:
            base = node.module.split(".")[1:]
        else:
            return
        for name in node.names:
            self._add([*base, name.name])

    def visit_Call(self, node: ast.Call) -> None:
        """`import_late` and the like, which are given a name."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if "import" in called:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    parts = argument.value.split(".")
                    if parts[0] == PACKAGE:
                        self._add(parts[1:])
        self.generic_visit(node)

    def _add(self, parts: list[str]) -> None:
        """Add the longest name that is a module: what is behind it is something in that module."""
        while parts and ".".join(parts) not in self._known:
            parts = parts[:-1]
        self._found.append((".".join(parts) or "__init__", self._when))


def circles(found: list[Import]) -> list[set[str]]:
    """Sets of modules that import each other, directly or around."""
    graph: dict[str, set[str]] = defaultdict(set)
    for each in found:
        graph[each.source].add(each.target)
    order: list[str] = []
    seen: set[str] = set()
    for start in list(graph):
        _walk(start, graph, seen, order)
    back: dict[str, set[str]] = defaultdict(set)
    for source, targets in graph.items():
        for target in targets:
            back[target].add(source)
    seen = set()
    result = []
    for start in reversed(order):
        members: list[str] = []
        _walk(start, back, seen, members)
        if len(members) > 1:
            result.append(set(members))
    return result


def _walk(start: str, graph: dict[str, set[str]], seen: set[str], order: list[str]) -> None:
    """Add to ``order`` what can be reached and was not seen, each behind what it leads to."""
    if start in seen:
        return
    seen.add(start)
    todo = [(start, iter(sorted(graph.get(start, ()))))]
    while todo:
        node, targets = todo[-1]
        following = next((target for target in targets if target not in seen), None)
        if following is None:
            order.append(node)
            todo.pop()
        else:
            seen.add(following)
            todo.append((following, iter(sorted(graph.get(following, ())))))
