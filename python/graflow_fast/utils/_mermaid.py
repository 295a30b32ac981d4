"""Graphs in the Mermaid language.

Owns the syntax: ids, labels, boxes for groups, styles. Must not know tasks or how groups are found.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from graflow_fast.utils._groups import boxed_view

if TYPE_CHECKING:
    import networkx

__all__ = ["mermaid"]

_HEADER = "---\nconfig:\n  flowchart:\n    curve: linear\n---\n"
_STYLES = (
    "    classDef first fill:#e1f5fe,stroke:#01579b,stroke-width:2px;",
    "    classDef last fill:#fff3e0,stroke:#e65100,stroke-width:2px;",
    "    classDef parallelGroup fill:#f3e5f5,stroke:#4a148c,stroke-width:3px;",
    "    classDef default fill:#f9f9f9,stroke:#333,stroke-width:1px;",
)
_RESERVED = {
    *("graph", "flowchart", "subgraph", "direction", "start", "end", "TD", "TB", "BT", "RL", "LR"),
    *("click", "class", "classDef", "style", "linkStyle", "fill", "stroke", "color"),
}


class _Ids:
    """Gives each name an id that Mermaid accepts and that no other name of the graph could be mistaken for."""

    def __init__(self, names: list[str]) -> None:
        self._ids: dict[str, str] = {}
        self._used = {self._cleaned(name) for name in names}

    def __getitem__(self, name: str) -> str:
        if name not in self._ids:
            cleaned = candidate = self._cleaned(name)
            number = 0
            while candidate in self._used or candidate in _RESERVED:
                number += 1
                candidate = f"{cleaned}_{number}"
            self._used.add(candidate)
            self._ids[name] = candidate
        return self._ids[name]

    @staticmethod
    def _cleaned(name: str) -> str:
        return re.sub(r"[^\w-]", "_", name, flags=re.ASCII)


def mermaid(
    graph: networkx.DiGraph, title: str, with_styles: bool, node_colors: dict[Any, str] | None, wrap_words: int
) -> str:
    """A Mermaid flowchart of a graph with at least one node; see `graph.draw_mermaid` for the arguments."""
    view = boxed_view(graph)
    shown, groups, boxed = view.graph, view.contents, view.boxed
    ids = _Ids([str(node) for node in graph])
    lines = ["graph TD;"]
    if title != "Graph":
        lines.append(f"    %% {title}")

    for group, inside in groups.items():
        lines += [f'    subgraph {ids[group]}[" {group} "]', "        direction TB"]
        lines += [f"        {ids[str(node)]}[{_label(node)}];" for node in inside if node in shown]
        lines += ["    end", f"    class {ids[group]} parallelGroup;"]

    first = next((node for node in shown if shown.in_degree(node) == 0), None)
    last = next((node for node in reversed(list(shown)) if shown.out_degree(node) == 0), None)
    for node in view.free:
        name, label = ids[str(node)], _label(node)
        if node == first:
            lines.append(f"    {name}([{label}]):::first;")
        elif node == last:
            lines.append(f"    {name}([{label}]):::last;")
        else:
            lines.append(f"    {name}[{label}];")

    for source, target, data in shown.edges(data=True):
        if str(source) in groups and str(target) in boxed:
            continue  # the box shows it
        text = _wrapped(str(data["label"]), wrap_words) if data.get("label") else ""
        arrow = f"-- {text} -->" if text else "-->"
        lines.append(f"    {ids[str(source)]} {arrow} {ids[str(target)]};")

    if with_styles:
        lines += _STYLES
        for node, color in (node_colors or {}).items():
            name = ids[str(node)]
            lines += [f"    classDef {name}_style fill:{color};", f"    class {name} {name}_style;"]
    return (_HEADER if with_styles else "") + "\n".join(lines) + "\n"


def _label(node: Any) -> str:
    return str(node).replace('"', '\\"')


def _wrapped(label: str, words_per_line: int) -> str:
    words = label.split()
    if len(words) <= words_per_line:
        return label
    starts = range(0, len(words), words_per_line)
    return "<br>".join(" ".join(words[start : start + words_per_line]) for start in starts)
