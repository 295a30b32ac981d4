"""Graphs as text: boxes connected by lines of ``*``.

Owns the canvas and how a layout is put on it. The layout itself is that of the package grandalf. Must not know tasks;
groups are known only as names to draw with a double border.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from graflow_fast._extras import import_extra

if TYPE_CHECKING:
    import networkx

__all__ = ["boxes", "layered"]

_BOX_HEIGHT = 3
_SINGLE = ("+", "+", "+", "+", "-", "|")
_DOUBLE = ("╔", "╗", "╚", "╝", "═", "║")
"""Corners (top left, top right, bottom left, bottom right), horizontal and vertical line."""


class _View:
    """What grandalf wants to know of a vertex: the size of its box; it sets ``xy``, the middle of the top edge."""

    def __init__(self, label: str, border: tuple[str, ...]) -> None:
        self.label = label
        self.border = border
        self.w = len(label) + 2
        self.h = _BOX_HEIGHT
        self.xy: tuple[float, float] = (0.0, 0.0)


class _Path:
    """What grandalf wants of an edge: a place for the corners of its line."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []

    def setpath(self, points: list[tuple[float, float]]) -> None:
        self.points = points


class _Canvas:
    """A grid of characters. What would lie outside is left out."""

    def __init__(self, width: int, height: int) -> None:
        self._rows = [[" "] * width for _ in range(height)]
        self._width = width

    def text(self) -> str:
        return "\n".join("".join(row) for row in self._rows)

    def put(self, x: int, y: int, text: str) -> None:
        for column, char in enumerate(text, start=x):
            if 0 <= column < self._width and 0 <= y < len(self._rows):
                self._rows[y][column] = char

    def line(self, start: tuple[int, int], end: tuple[int, int], char: str) -> None:
        (x0, y0), (x1, y1) = start, end
        dx, dy = x1 - x0, y1 - y0
        if dx == dy == 0:
            self.put(x0, y0, char)
        elif abs(dx) >= abs(dy):
            left_y = y0 if dx > 0 else y1
            left = min(x0, x1)
            for step in range(abs(dx) + 1):
                self.put(left + step, left_y + round(step * dy / dx), char)
        else:
            top_x = x0 if dy > 0 else x1
            top = min(y0, y1)
            for step in range(abs(dy) + 1):
                self.put(top_x + round(step * dx / dy), top + step, char)

    def box(self, x: int, y: int, width: int, height: int, border: tuple[str, ...]) -> None:
        top_left, top_right, bottom_left, bottom_right, horizontal, vertical = border
        self.put(x, y, top_left + horizontal * (width - 2) + top_right)
        for row in range(y + 1, y + height - 1):
            self.put(x, row, vertical)
            self.put(x + width - 1, row, vertical)
        self.put(x, y + height - 1, bottom_left + horizontal * (width - 2) + bottom_right)


def boxes(names: list[str]) -> str:
    """Names in boxes of one width, one below the other; for graphs without edges."""
    width = max(map(len, names)) + 2
    line = f"+{'-' * width}+\n"
    rows = []
    for name in names:
        left = (width - len(name)) // 2
        rows.append(f"|{' ' * left}{name}{' ' * (width - len(name) - left)}|\n")
    return line + line.join(rows) + line


def layered(graph: networkx.DiGraph, double: set[str]) -> str:
    """A layered drawing, sources above targets; unconnected parts are one below the other.

    A node with an edge to itself is marked with ↻, since the layout can't draw such edges.

    Args:
        graph: At least one node.
        double: Names of the nodes to draw with a double border.
    """
    graphs = import_extra("grandalf.graphs", "draw", "Drawing a graph as text")
    numbers = itertools.count()

    def numbered(kind: type, *arguments: object) -> Any:
        """A vertex or an edge. grandalf keeps them in sets, whose order must not depend on memory addresses."""
        number = next(numbers)
        return type(kind.__name__, (kind,), {"__hash__": lambda _: number})(*arguments)

    vertices = {str(node): numbered(graphs.Vertex, str(node)) for node in graph}
    for name, vertex in vertices.items():
        label = f" {name} ↻ " if graph.has_edge(name, name) else f" {name} "
        vertex.view = _View(label, _DOUBLE if name in double else _SINGLE)
    ends = [(str(source), str(target)) for source, target in graph.edges() if source != target]
    edges = [numbered(graphs.Edge, vertices[source], vertices[target]) for source, target in ends]
    for edge in edges:
        edge.view = _Path()
    # Boxes are kept apart by the width of the narrowest one.
    gap = min(vertex.view.w for vertex in vertices.values())
    parts = graphs.Graph(list(vertices.values()), edges).C
    return "\n".join(_drawn(part, gap) for part in parts)


def _drawn(part: Any, gap: int) -> str:
    layouts = import_extra("grandalf.layouts", "draw", "Drawing a graph as text")
    routing = import_extra("grandalf.routing", "draw", "Drawing a graph as text")
    layout = layouts.SugiyamaLayout(part)
    layout.init_all(roots=[vertex for vertex in part.sV if not vertex.e_in()], optimize=True)
    layout.xspace, layout.yspace = gap, _BOX_HEIGHT
    layout.route_edge = routing.route_with_lines
    layout.draw()

    vertices, edges = list(part.sV), list(part.sE)
    corners = [point for edge in edges for point in edge.view.points]
    for vertex in vertices:
        (x, y), half = vertex.view.xy, vertex.view.w / 2
        corners += [(x - half, y), (x + half, y + vertex.view.h)]
    # The layout may reach into negative coordinates.
    min_x, max_x = min(x for x, _ in corners), max(x for x, _ in corners)
    min_y, max_y = min(y for _, y in corners), max(y for _, y in corners)
    canvas = _Canvas(math.ceil(max_x) - math.floor(min_x) + 1, round(max_y - min_y))

    def cell(x: float, y: float) -> tuple[int, int]:
        return round(x - min_x), round(y - min_y)

    for edge in edges:
        points = [cell(*point) for point in edge.view.points]
        for start, end in itertools.pairwise(points):
            canvas.line(start, end, "*")
    for vertex in vertices:  # after the edges, whose ends they cover
        view = vertex.view
        x, y = cell(view.xy[0] - view.w / 2, view.xy[1])
        canvas.box(x, y, view.w, view.h, view.border)
        canvas.put(x + 1, y + 1, view.label)
    return canvas.text()
