"""The report of a run: one HTML file with all that its page needs. Owns what goes into it; the page draws itself.

Nothing of a run is put into the page as markup: texts are escaped, facts are JSON in which no tag can begin, rows are
base64. And the page may run only the script whose hash stands in its head.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import time
from array import array
from bisect import bisect_left
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graflow_fast._record.columns import ABANDONED, FAILED, RETRIED, RUNNING
from graflow_fast._record.figures import rows_with, slowest_rows
from graflow_fast._record.graph_picture import graph_picture
from graflow_fast._record.packing import Packed, pack
from graflow_fast._record.words import count_words, number_words, seconds_words, shortened
from graflow_fast.exceptions import ConfigError

if TYPE_CHECKING:
    from graflow_fast._record.run import RecordedRun

_PAGE = Path(__file__).parent / "page"
_SCRIPTS = ("rows", "words", "filter", "timeline", "tables", "page")

#: So many failures are shown at the top with their tracebacks, functions in their table, and steps of the path.
_MOST_FAILURES = 20
_MOST_FUNCTIONS = 2000
_MOST_STEPS = 20_000

#: Of each function so many of the slowest attempts are kept when not all can be.
_SLOWEST = 1000


def write_report(run: RecordedRun, path: str | PathLike[str], *, max_mb: float) -> None:
    """Write the page; see `RecordedRun.report`."""
    Path(path).write_text(html_page(run, max_mb=max_mb), encoding="utf-8")


def html_page(run: RecordedRun, *, max_mb: float = 32, live: dict[str, Any] | None = None) -> str:
    """The page as a text of at most ``max_mb`` million characters.

    Args:
        run: of which run.
        max_mb: see `RecordedRun.report`.
        live: how far the run is, of one that goes on, for a page that asks its server for news; None: it asks nobody.
    """
    most = max_mb * 1e6
    page = _page(run, pack(run.columns()), None, live)
    rows: array[int] | None = None
    size = len(page)
    while size > most:
        before = len(run.columns().node) if rows is None else len(rows)
        room = int(before * most / size * 0.9)
        if room < 1:
            raise ConfigError(f"max_mb={max_mb} is too little for a report: its page alone has {size / 1e6:.2f} MB.")
        rows = _most_telling_rows(run, room)
        page = _page(run, pack(run.columns(), rows), rows, live)
        size = len(page)
        if len(rows) >= before:
            raise ConfigError(f"max_mb={max_mb} is too little for a report of this run: it needs {size / 1e6:.2f} MB.")
    return page


def _most_telling_rows(run: RecordedRun, room: int) -> array[int]:
    """So many rows: what failed or was tried again, the critical path, the slowest, and an even choice of the rest."""
    columns = run.columns()
    kept: set[int] = set()
    first = rows_with(columns, FAILED, RETRIED, RUNNING, ABANDONED)
    for some in (first, [step.row for step in run.path.steps], sorted(slowest_rows(columns, _SLOWEST))):
        kept.update(some[: max(0, room - len(kept))])
    rest = room - len(kept)
    if rest > 0:
        count = len(columns.node)
        kept.update(row * count // rest for row in range(rest))
    return array("I", sorted(kept))


def _page(run: RecordedRun, packed: Packed, rows: array[int] | None, live: dict[str, Any] | None) -> str:
    columns = run.columns()
    scripts = _SCRIPTS if live is None else (*_SCRIPTS, "live")
    script = '"use strict";(() => {\n' + "".join(_read(f"{name}.js") for name in scripts) + "})();"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    title = shortened(str(columns.meta["workflow"]), 200)
    parts = {
        "script_hash": f"sha256-{digest}",
        "connect": "" if live is None else "connect-src 'self'; ",
        "version": html.escape(str(columns.meta.get("version", ""))),
        "title": html.escape(title),
        "headline": html.escape(_headline(run)),
        "style": _read("report.css"),
        "verdict": "".join(f"<li>{html.escape(sentence)}</li>" for sentence in run.verdict()),
        "summary": html.escape(run.summary()),
        "graph": graph_picture(columns, run.figures),
        "facts": _json({**_facts(run, packed, rows), "live": live}),
        "rows": base64.b64encode(packed.data).decode("ascii"),
        "script": script,
    }
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("report.html"))
    return page.encode("utf-8", "xmlcharrefreplace").decode("utf-8")  # half a surrogate pair is no character of a file


def _read(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that may stand in a script element: no tag, comment or entity can begin in it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c").replace("NaN", "null")


def _headline(run: RecordedRun) -> str:
    meta, figures = run.columns().meta, run.figures
    started = meta.get("started")
    when = [time.strftime("%Y-%m-%d %H:%M", time.localtime(started))] if started else []
    words = [str(meta["outcome"]), seconds_words(figures.wall), count_words(figures.tasks, "task")]
    return " · ".join([*words, *([count_words(figures.workers, "worker")] if figures.workers else []), *when])


def _facts(run: RecordedRun, packed: Packed, rows: array[int] | None) -> dict[str, Any]:
    columns, figures = run.columns(), run.figures

    def place(row: int) -> int:
        """Where a row is among those that are kept, or -1."""
        if rows is None:
            return row
        found = bisect_left(rows, row)
        return found if found < len(rows) and rows[found] == row else -1

    steps = [[place(row), waited, ran] for row, waited, ran in run.path.steps[:_MOST_STEPS]]
    failed = [place(row) for row in rows_with(columns, FAILED)[:_MOST_FAILURES]]
    return {
        "wall": figures.wall,
        "verdict": run.verdict(),
        "path": [step for step in steps if step[0] >= 0],
        "pathLength": run.path.length,
        "failures": [row for row in failed if row >= 0],
        "functions": [_function(each) for each in figures.functions[:_MOST_FUNCTIONS]],
        "workers": [list(each) for each in figures.by_worker],
        "about": _about(run, packed),
        "leftOut": _left_out(run, packed, rows),
        "layout": packed.layout,
    }


def _function(each: Any) -> list[Any]:
    function, attempts, retries, failures, total, mean, median, most, longest, _, histogram = each
    return [shortened(function, 200), attempts, retries, failures, total, mean, median, most, longest, histogram]


def _about(run: RecordedRun, packed: Packed) -> list[list[str]]:
    columns = run.columns()
    meta = columns.meta
    words = {"argv": "Command", "cwd": "Folder", "run": "Run", "pid": "Process", "executor": "Executor"}
    words |= {"schedule": "Schedule", "workers": "Workers", "python": "Python", "version": "graflow_fast"}
    found = []
    for key, name in words.items():
        value = meta.get(key)
        if value is not None:
            text = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            found.append([name, shortened(text, 2000)])
    shown, rows = packed.layout["rows"], len(columns.node)
    kept = "all" if shown == rows else f"{number_words(shown)} of {number_words(rows)}"
    found.append(["Rows in this page", f"{kept} ({seconds_words(packed.layout['unit'])} exact)"])
    return found


def _left_out(run: RecordedRun, packed: Packed, rows: array[int] | None) -> str:
    sentences = []
    if rows is not None:
        failures = sum(run.columns().outcome[row] == FAILED for row in rows)
        all_failures = "all" if failures == run.figures.counts[FAILED] else f"{number_words(failures)}"
        sentences.append(
            f"Shown are {number_words(len(rows))} of {number_words(len(run.columns().node))} rows, {all_failures} "
            "failures included, since more would have made this page too large. Sums and the tables of functions "
            "and workers are those of the whole run."
        )
    if packed.errors_left_out:
        sentences.append(f"The tracebacks of {count_words(packed.errors_left_out, 'failure')} were left out.")
    return " ".join(sentences)
