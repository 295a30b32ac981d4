"""How a run shows itself in a notebook: HTML without scripts or widgets, so it is the same in GitHub, HTML and PDF."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from graflow_fast._record.timeline_picture import timeline_picture
from graflow_fast._record.words import number_words, seconds_words, shortened

if TYPE_CHECKING:
    from graflow_fast._record.run import RecordedRun

_MOST_FUNCTIONS = 10


def html_of(run: RecordedRun) -> str:
    """Summary, timeline, and the functions that took longest."""
    columns, figures = run.columns(), run.figures
    heads = ("function", "attempts", "total", "median", "95 %", "longest", "tried again", "failed")
    lines = [
        (
            shortened(each.function, 60),
            number_words(each.attempts),
            *map(seconds_words, (each.total, each.median, each.percentile_95, each.longest)),
            number_words(each.retries),
            number_words(each.failures),
        )
        for each in figures.functions[:_MOST_FUNCTIONS]
    ]
    more = len(figures.functions) - len(lines)
    table = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
    return (
        f'<div><pre style="white-space:pre-wrap">{html.escape(run.summary())}</pre>'
        f"{timeline_picture(columns, figures, {step.row for step in run.path.steps})}"
        f"<table><thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>{table}</tbody></table>"
        f"{f'<p>and {number_words(more)} more functions</p>' if more > 0 else ''}</div>"
    )
