"""Owns the statistics: medians with their range, and ratios taken from pairs of runs.

Two contestants are compared within a repetition, where they ran one right after the other, so that a machine that is
slow for a minute slows both. The ratio of the medians is never used.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """A median and the range it was seen in."""

    median: float
    low: float
    high: float
    count: int

    def text(self, suffix: str = "") -> str:
        """Read `1.23 (1.10 .. 1.40)`; a single measurement has no range to show."""
        if self.count == 1:
            return f"{number(self.median)}{suffix} (one run)"
        return f"{number(self.median)}{suffix} ({number(self.low)} .. {number(self.high)})"


def spread(values: Sequence[float]) -> Spread:
    """Summarise measurements of one thing."""
    if not values:
        raise ValueError("no measurement")
    return Spread(statistics.median(values), min(values), max(values), len(values))


def ratio(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Spread | None:
    """Summarise ours / theirs over the repetitions that have both; None when there is none."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} runs can't be paired with {len(theirs)}")
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a is not None and b]
    return spread([a / b for a, b in pairs]) if pairs else None


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or size == 0 else f"{value:.3g}"
