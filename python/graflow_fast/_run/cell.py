"""The display of a run in a notebook: one output of its cell, static HTML that is renewed while the run goes.

Owns what stands there. No widgets and no scripts, so what is saved with the notebook is what was seen. Knows the
figures of a display, and nothing of how they come about.
"""

from __future__ import annotations

import sys
from html import escape
from importlib import import_module
from typing import Any

__all__ = ["Cell", "is_notebook"]

_BAR = '<progress value="{done}" max="{total}" style="width: 24em">{share}</progress>'
_MOST_RUNNING = 3


def is_notebook() -> bool:
    """Say whether this program is a notebook's kernel, whose cells take HTML."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and getattr(shell, "kernel", None) is not None


class Cell:
    """One output of the cell that is run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = ""
        self._handle: Any = None

    def renew(self, figures: dict[str, Any], names: list[str]) -> None:
        """Show how far the run is, if that is news.

        Args:
            figures: those of a display.
            names: of nodes, by number.
        """
        done, total, elapsed = figures["done"], figures["total"], figures["elapsed"]
        parts = [f"<b>{escape(self._name)}</b>"]
        words = [f"{done}/{total}" if total else f"{done} done", _clock(elapsed)]
        if total:
            parts.append(_BAR.format(done=min(done, total), total=total, share=f"{done / total:.0%}"))
        if figures["left"] is not None:
            words.append(f"about {_clock(figures['left'])} left")
        if figures["failed"]:
            words.append(f"{figures['failed']} failed")
        running = [names[node] for node, *_ in figures["running"][:_MOST_RUNNING] if 0 <= node < len(names)]
        lines = [" ".join([*parts, escape(", ".join(words))]), *(escape(f"{name} is running") for name in running)]
        self._show("<br>".join(lines), f"{self._name}: {', '.join(words)}")

    def end(self, last: str) -> None:
        """Show the last lines, which stay."""
        text = last.rstrip("\n")
        self._show(f"<pre>{escape(text)}</pre>", text)

    def _show(self, html: str, text: str) -> None:
        if html == self._shown:
            return
        self._shown = html
        display = import_module("IPython.display").display
        bundle = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours = f"{whole // 3600}:{whole // 60 % 60:02}" if whole >= 3600 else f"{whole // 60}"
    return f"{hours}:{whole % 60:02}"
