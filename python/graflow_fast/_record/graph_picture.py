"""The graph of a run as a picture without a script: a box for each task, or for all tasks of a function and group."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator

from graflow_fast._record.columns import FAILED, GROUP, Columns
from graflow_fast._record.figures import Figures, function_names, rows_with
from graflow_fast._record.layers import layers_of
from graflow_fast._record.words import count_words, seconds_words, shortened

#: Graphs of so many nodes are drawn node by node; of more, by function and group; of so many boxes all are drawn.
_MOST_NODES = 40
MOST_BOXES = 300

_WIDTH, _HEIGHT, _ACROSS, _DOWN = 170, 42, 60, 16


class _Boxes:
    """Nodes that are drawn as one, and edges between these."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._functions = function_names(columns)
        self.labels: list[str] = []
        self.functions: list[str] = []  # "" for groups
        self.counts: list[int] = []
        self.of_node: list[int] = []
        self.left_out = 0
        for by_group in (True, False):
            self._fill(by_group)
            if len(self.labels) <= MOST_BOXES:
                break
        self.edges = Counter(self._edges())

    def _fill(self, by_group: bool) -> None:
        columns = self._columns
        single = len(columns.names) <= _MOST_NODES
        group_of = {member: group for group, members in columns.members.items() for member in members}
        numbers: dict[object, int] = {}
        self.of_node, self.labels, self.functions, self.counts = [], [], [], []
        for node, (name, function, kind) in enumerate(zip(columns.names, self._functions, columns.kinds, strict=True)):
            is_group = kind == GROUP
            key = node if single else (is_group, "" if is_group else function, group_of.get(node) if by_group else None)
            box = numbers.setdefault(key, len(numbers))
            if box == len(self.labels):
                self.labels.append(name if single or is_group else function)
                self.functions.append("" if is_group else function)
                self.counts.append(0)
            self.counts[box] += 1
            self.of_node.append(box)
        if not by_group and len(self.labels) > MOST_BOXES:
            self.left_out = len(self.labels) - MOST_BOXES

    def _edges(self) -> Iterator[tuple[int, int, bool]]:
        """Edges between boxes; those from a group to its members are forks.

        What comes after a group is drawn after its members, since it waits for them.
        """
        columns, of_node = self._columns, self.of_node
        last: dict[int, set[int]] = {}
        for group, members in columns.members.items():
            last[group] = {of_node[member] for member in members}
            for box in last[group]:
                yield of_node[group], box, True
        for source, target in zip(columns.edges[::2], columns.edges[1::2], strict=True):
            for box in last.get(source) or (of_node[source],):
                yield box, of_node[target], False


def graph_picture(columns: Columns, figures: Figures) -> str:
    """The picture as HTML. Its boxes are links with the words that select their tasks in ``data-filter``."""
    if not columns.names:
        return "<p>The graph is empty.</p>"
    boxes = _Boxes(columns)
    count = min(len(boxes.labels), MOST_BOXES)
    edges = {edge: number for edge, number in boxes.edges.items() if edge[0] < count and edge[1] < count}
    layers = layers_of(count, ((source, target) for source, target, _ in edges))
    tall = max(len(layer) for layer in layers) * (_HEIGHT + _DOWN)
    places: dict[int, tuple[float, float]] = {}
    for depth, layer in enumerate(layers):
        top = (tall - len(layer) * (_HEIGHT + _DOWN)) / 2
        for at, box in enumerate(layer):
            places[box] = (10 + depth * (_WIDTH + _ACROSS), 10 + top + at * (_HEIGHT + _DOWN))
    failed = {boxes.of_node[columns.node[row]] for row in rows_with(columns, FAILED)}
    times = {each.function: each.total for each in figures.functions}
    wide = 20 + len(layers) * (_WIDTH + _ACROSS) - _ACROSS
    drawn = [
        *(_edge(places[source], places[target], fork) for source, target, fork in edges),
        *(_box(boxes, box, places[box], box in failed, times) for box in range(count)),
    ]
    note = (
        f'<p class="note">{count_words(boxes.left_out, "function")} more are not drawn.</p>' if boxes.left_out else ""
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="Picture of the graph"><svg width="{wide:.0f}" '
        f'height="{tall + 20:.0f}" role="group" aria-label="Graph by function and group"><defs><marker id="tip" '
        'viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" '
        f'fill="gray"/></marker></defs>{"".join(drawn)}</svg></div>{note}'
    )


def _edge(source: tuple[float, float], target: tuple[float, float], fork: bool) -> str:
    (x, y), (to_x, to_y) = source, target
    x, y, to_y = x + _WIDTH, y + _HEIGHT / 2, to_y + _HEIGHT / 2
    if to_x < x:  # back, as a loop does: above the boxes
        curve = f"M{x:.0f} {y:.0f}C{x + 50:.0f} {y - 50:.0f} {to_x - 50:.0f} {to_y - 50:.0f} {to_x:.0f} {to_y:.0f}"
    else:
        middle = (x + to_x) / 2
        curve = f"M{x:.0f} {y:.0f}C{middle:.0f} {y:.0f} {middle:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
    return f'<path class="edge{" fork" if fork else ""}" marker-end="url(#tip)" d="{curve}"/>'


def _box(boxes: _Boxes, box: int, place: tuple[float, float], failed: bool, times: dict[str, float]) -> str:
    x, y = place
    label, function, count = boxes.labels[box], boxes.functions[box], boxes.counts[box]
    words = [count_words(count, "task" if function else "group")] if count > 1 or not function else []
    if function in times and label == function:
        words.append(f"{seconds_words(times[function])} in all")
    elif not function:
        words = ["group"] if count == 1 else words
    if failed:
        words.append("failed")
    # Of a name that no filter can spell, a part of it that one can.
    exact = len(label) <= 200 and '"' not in label + function
    part = max(label[:200].split('"'), key=len)
    selects = f'"{part}"' if not exact else f'fn:"{function}"' if function else f'task:"{label}"'
    texts = "".join(_texts(x + 8, y, [shortened(label, 24), ", ".join(words)]))
    return (
        f'<a href="#tasks" data-filter="{html.escape(selects)}"{" class=bad" if failed else ""}><title>'
        f'{html.escape(shortened(label, 200))}</title><rect class="box" x="{x:.0f}" y="{y:.0f}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" rx="{5 if function else 18}"/>{texts}</a>'
    )


def _texts(x: float, y: float, lines: Iterable[str]) -> Iterator[str]:
    for at, line in enumerate(lines):
        name = ' class="small"' if at else ""
        yield f'<text{name} x="{x:.0f}" y="{y + 17 + at * 16:.0f}">{html.escape(line)}</text>'
