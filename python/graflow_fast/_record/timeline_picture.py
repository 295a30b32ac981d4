"""The timeline of a run as a picture without a script: at most 2 000 boxes, however many attempts there were."""

from __future__ import annotations

import html
from heapq import nlargest

from graflow_fast._record.columns import COMPLETED, NOBODY, Columns
from graflow_fast._record.figures import Figures, function_names
from graflow_fast._record.words import number_words, seconds_words, shortened

#: Colours that those who see few can tell apart, as in the report.
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a600", "#7b61c4", "#8c959f")
MOST_BOXES = 2000
_MOST_LANES = 64
_WIDTH, _LEFT, _TALL = 860, 70, 16


def timeline_picture(columns: Columns, figures: Figures, path: set[int]) -> str:
    """The picture as SVG: boxes for the longest attempts, and for the rest how busy each piece of time was."""
    lanes = [each.worker for each in figures.by_worker][:_MOST_LANES]
    if not lanes or figures.wall <= 0:
        return ""
    pieces = min(_WIDTH - _LEFT, MOST_BOXES // 2 // len(lanes))
    rows = [row for row, worker in enumerate(columns.worker) if worker != NOBODY and columns.end[row] > 0]
    single = set(nlargest(MOST_BOXES // 2, rows, key=lambda row: columns.end[row] - columns.start[row]))
    place = {worker: at * _TALL for at, worker in enumerate(lanes)}
    scale = (_WIDTH - _LEFT) / figures.wall
    drawn = [
        f'<text x="0" y="{top + 12}">{"caller" if worker < 0 else f"worker {worker}"}</text>'
        for worker, top in place.items()
    ]
    shares: dict[tuple[int, int], float] = {}
    if len(single) < len(rows):
        per_piece = pieces / figures.wall
        for row in rows:
            if row not in single:
                key = columns.worker[row], min(pieces - 1, int(columns.start[row] * per_piece))
                shares[key] = shares.get(key, 0.0) + (columns.end[row] - columns.start[row]) * per_piece
    wide = (_WIDTH - _LEFT) / pieces
    for (worker, piece), share in shares.items():
        if worker in place:
            tall = max(1.0, min(1.0, share) * (_TALL - 4))
            y = place[worker] + 2 + (_TALL - 4 - tall)
            drawn.append(_box(_LEFT + piece * wide, y, wide, tall, COLORS[8], "", ""))
    colors = {each.function: color for each, color in zip(figures.functions, COLORS[:8], strict=False)}
    functions = function_names(columns)
    for row in sorted(single):
        worker, start, end, node = columns.worker[row], columns.start[row], columns.end[row], columns.node[row]
        if worker in place:
            edge = ' stroke="currentColor" stroke-width="1.5"' if row in path else ""
            bad = columns.outcome[row] != COMPLETED
            edge = ' stroke="#d1242f" stroke-width="2" stroke-dasharray="3 1"' if bad else edge
            title = f"{shortened(columns.names[node], 60)} {seconds_words(end - start)}{', failed' if bad else ''}"
            color = colors.get(functions[node], COLORS[8])
            x, width = _LEFT + start * scale, max(0.7, (end - start) * scale)
            drawn.append(_box(x, place[worker] + 2, width, _TALL - 4, color, edge, title))
    below = len(lanes) * _TALL + 14
    hidden = len(figures.by_worker) - len(lanes)
    more = f", {number_words(hidden)} more workers are not drawn" if hidden > 0 else ""
    drawn.append(f'<text x="{_LEFT}" y="{below}">0 to {seconds_words(figures.wall)}{more}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {below + 6}" width="{_WIDTH}" role="img" '
        'aria-label="Timeline of the workers" font-size="11" font-family="sans-serif" fill="currentColor">'
        f"{''.join(drawn)}</svg>"
    )


def _box(x: float, y: float, width: float, tall: float, color: str, edge: str, title: str) -> str:
    named = f"<title>{html.escape(title)}</title>" if title else ""
    place = f'x="{x:.1f}" y="{y:.0f}" width="{width:.1f}" height="{tall:.0f}"'
    return f'<rect {place} fill="{color}"{edge}>{named}</rect>' if named else f'<rect {place} fill="{color}"{edge}/>'
