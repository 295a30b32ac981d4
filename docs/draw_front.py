"""Draws docs/front.svg, the picture of the README, from docs/benchmarks.json: what a task costs here and elsewhere.

It knows how a row of the benchmarks is stored, and nothing of how it was measured. ``make picture`` runs it.
"""

from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

DOCS = Path(__file__).parent
ROW = "S3"
#: What is shown of the row, by its label there.
SHOWN = {
    "graflow_fast": "graflow_fast",
    "Pool.imap_unordered": "Pool.imap_unordered",
    "ProcessPoolExecutor.submit": "ProcessPoolExecutor",
    "graflow group (threads)": "graflow (threads)",
    "Ray": "Ray",
    "Dask distributed": "Dask distributed",
}
LEFT, WIDTH, TOP, STEP = 180, 430, 50, 30

# Colors for each scheme, and a ground of its own: a page may be dark where the reader's system is light.
STYLE = """
    text { font: 14px system-ui, sans-serif; fill: #24292f; }
    .title { font-weight: 600; }
    .scale { font-size: 11px; fill: #57606a; }
    line { stroke: #57606a; stroke-opacity: 0.3; }
    .ground { fill: #ffffff; }
    .other { fill: #6b8fa3; }
    .ours { fill: #c1440e; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .ground { fill: #16191d; }
      .scale { fill: #9da7b1; }
      line { stroke: #9da7b1; }
      .ours { fill: #f0763b; }
    }
"""


def costs() -> dict[str, float]:
    """Return the median µs a task of each executor that is shown."""
    row = json.loads((DOCS / "benchmarks.json").read_text(encoding="utf-8"))[ROW]
    values = {outcome["label"]: [v for v in outcome["values"] if v is not None] for outcome in row["outcomes"]}
    return {name: statistics.median(values[label]) for label, name in SHOWN.items() if values.get(label)}


def picture() -> str:
    """Return the picture as it should be now: a bar for each executor, on a logarithmic scale from 1 µs."""
    shown = costs()
    decades = math.ceil(math.log10(max(shown.values())))

    def across(cost: float) -> float:
        return max(2.0, WIDTH * math.log10(cost) / decades)

    bottom = TOP + STEP * len(shown)
    width, height = LEFT + WIDTH + 70, bottom + 28
    parts = [
        f'<rect width="{width}" height="{height}" rx="6" class="ground"/>',
        '<text x="16" y="26" class="title">µs for a task in a group on two workers, logarithmic</text>',
    ]
    for decade in range(decades + 1):
        x = LEFT + WIDTH * decade / decades
        parts.append(f'<line x1="{x:.0f}" y1="{TOP - 8}" x2="{x:.0f}" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.0f}" y="{bottom + 16}" class="scale" text-anchor="middle">{10**decade:,}</text>')
    for position, (name, cost) in enumerate(shown.items()):
        y = TOP + STEP * position
        kind = "ours" if name == "graflow_fast" else "other"
        figure = f"{cost:.1f}" if cost < 100 else f"{cost:,.0f}"
        parts.append(f'<text x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{name}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{across(cost):.0f}" height="20" rx="3" class="{kind}"/>')
        parts.append(f'<text x="{LEFT + across(cost) + 8:.0f}" y="{y + 15}">{figure}</text>')
    drawn = "\n  ".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img">\n  <style>{STYLE}  </style>\n  {drawn}\n</svg>\n'
    )


if __name__ == "__main__":
    (DOCS / "front.svg").write_text(picture(), encoding="utf-8")
