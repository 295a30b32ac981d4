"""Owns what readers see: the text of a row, docs/benchmarks.md, its plot, and the raw figures both are made from."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from contest import HERE, WORKERS, Goal, Outcome, Row
from paired import Spread, ratio, spread

DOCS = HERE.parent / "docs"
QUIET = 0.2  # cores that others may use without a row being called disturbed
KINDS = ("S", "N", "METG", "M", "D", "V", "E")
PLOTTED = ("S2", "S3", "S5", "S9", "S10", "N2", "N5a", "N13a", "N18a", "METG-stencil_1d")
_INTRO = """# Benchmarks

Measured by `make bench` on {cores} cores, {python}, {date}; {workers} workers.{quick}

Each figure is a median with the lowest and highest in brackets. Contestants of a row take turns, one after another in
each repetition, every one in a process of its own; a ratio compares runs of the same repetition and is a median of
such ratios. Absolute figures only orient: two cores shared with whatever else the machine did are a noisy place, and
a wide bracket says so. *Asked* is what this project wants to reach; what falls short stays here.

*The limit* is two forked Python loops over a socket pair that do nothing but pickle calls, call, and pickle results,
each call a pickle of its own (`benches/limit.py`). A peer marked *not available* was absent or failed, with the reason.

Rows N are *No cliffs*: what features cost that users have, each beside a loop over `ProcessPoolExecutor` that does the
same by hand (last column of the first table). Rows METG (minimum effective task granularity, Task Bench) find by
bisection the smallest body at which half of the cores' time is useful; *values passed*: a task reads the results of its
predecessors. Rows V: what it costs to see a run, and how soon it is seen. *Processor time* is what a task costs on both
sides, also where other programs make the clock useless.

One row alone: `make setup`, then `.venv/bin/python benches/run.py --rows S3,N6`; `--rows N` or `METG`: all of them. The
peers: `make bench-peers`.

Rows D: runs that survive, and results that are kept, on this machine's disk. D1, D2, D3, D10 and D11 are faults and
what was lost by them: `make trust` prints them ([durability.md](durability.md#how-it-is-tested)).
"""

_DISTURBED = """
**Disturbed: other programs were computing on this machine while these rows ran: {rows}.**
Their figures show that the bench works and which orders of magnitude to expect; no goal should be judged by
them, least of all S6 and S7, which need both cores.
"""


def pairs(row: Row, outcomes: Sequence[Outcome], outcome: Outcome) -> Spread | None:
    """The ratio of the row's first entry to this one."""
    first = outcomes[0]
    if (
        outcome is first
        or (row.totals and outcome.size != first.size)
        or not any(value is not None for value in first.values)
    ):
        return None
    return ratio(first.values, outcome.values)


def verdict(goal: Goal, outcomes: Sequence[Outcome]) -> tuple[str, str]:
    """What was reached, and `met`, `falls short` or `not measured`."""
    by_label = {outcome.label: outcome for outcome in outcomes}
    ours = by_label[goal.ours]
    measured = [value for value in ours.values if value is not None]
    if goal.noted is not None:
        measured = [ours.notes[goal.noted]] if goal.noted in ours.notes else []
    if not measured:
        return f"not available: {ours.error}", "not measured"
    reached = spread(measured)
    if goal.against is not None:
        against = by_label[goal.against]
        compared = ratio(ours.values, against.values)
        if compared is None:
            return f"{goal.against} not available: {against.error}", "not measured"
        reached = compared
    good = reached.median >= goal.bound if goal.at_least else reached.median <= goal.bound
    return reached.text(" ×" if goal.against else ""), "met" if good else "**falls short**"


def row_table(row: Row, outcomes: Sequence[Outcome]) -> str:
    """One row as a markdown section."""
    lines = [f"## {row.key}: {row.work}", "", f"| {row.unit} | size | median (range) | ours ÷ this |"]
    lines.append("| --- | ---: | ---: | ---: |")
    for outcome in outcomes:
        measured = [value for value in outcome.values if value is not None]
        if measured:
            compared = pairs(row, outcomes, outcome)
            figure = spread(measured).text()
            lines.append(f"| {outcome.label} | {outcome.size} | {figure} | {compared.text() if compared else ''} |")
        else:
            lines.append(f"| {outcome.label} | {outcome.size} | not available: {_cell(outcome.error)} | |")
    lines.append("")
    for goal in row.goals:
        reached, word = verdict(goal, outcomes)
        compared = loop(row, goal, outcomes)
        beside = f" {compared.text(' ×')} of the loop by hand." if compared else ""
        lines.append(f"- Asked of {goal.ours}: {goal.text}. {word.capitalize()}: {_cell(reached)}.{beside}")
    for outcome in outcomes:
        for name, value in outcome.notes.items():
            lines.append(f"- {outcome.label}, {name}: {value:.3g}.")
    if row.note:
        lines.append(f"- {row.note}")
    lines.append(f"- Just before, other programs kept {row.background:.1f} cores busy.")
    return "\n".join(lines) + "\n"


def summary(rows: Mapping[str, tuple[Row, list[Outcome]]]) -> str:
    """All goals in one table."""
    lines = ["| # | work | asked | reached | ÷ a loop by hand | |", "| --- | --- | --- | --- | --- | --- |"]
    for key, (row, outcomes) in rows.items():
        texts = [goal.text for goal in row.goals]
        for goal in row.goals:
            reached, word = verdict(goal, outcomes)
            asked = (
                goal.text if texts.count(goal.text) == 1 else f"{goal.ours.removeprefix('graflow_fast, ')}: {goal.text}"
            )
            compared = loop(row, goal, outcomes)
            beside = compared.text(" ×") if compared else ""
            lines.append(f"| {key} | {row.work} | {asked} | {_cell(reached)} | {beside} | {word} |")
    return "\n".join(lines) + "\n"


def loop(row: Row, goal: Goal, outcomes: Sequence[Outcome]) -> Spread | None:
    """The ratio of the entry that a goal is about to the loop by hand of its row, where there is one."""
    by_label = {outcome.label: outcome for outcome in outcomes}
    if row.beside is None or goal.noted is not None:
        return None
    return ratio(by_label[goal.ours].values, by_label[row.beside].values)


def absent(rows: Mapping[str, tuple[Row, list[Outcome]]]) -> str:
    """Say which modules were missing, so that peers were not measured; empty when all were there."""
    missing: dict[str, list[str]] = {}
    for key, (_, outcomes) in rows.items():
        for outcome in outcomes:
            found = re.search(r"No module named '(\w+)", outcome.error or "")
            if found is not None and key not in missing.setdefault(found[1], []):
                missing[found[1]].append(key)
    if not missing:
        return ""
    listed = "; ".join(f"{name} (rows {', '.join(keys)})" for name, keys in sorted(missing.items()))
    return f"Absent, so not compared with: {listed}. `make bench-peers` installs them.\n"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").rstrip(".")


def load() -> dict[str, Any]:
    """The raw figures of the last `--write`, by row."""
    path = DOCS / "benchmarks.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write(
    rows: Mapping[str, tuple[Row, list[Outcome]]],
    quick: bool,
    asked: Mapping[str, list[Goal]],
    log: Any = print,
) -> None:
    """Renew the measured rows in docs/benchmarks.json, and the page and the plot from all rows there.

    `asked` has the goals of today: what was measured before one was raised is held against the new one.
    """
    stored = load()
    for key, (row, outcomes) in rows.items():
        stored[key] = {
            "row": asdict(row),
            "outcomes": [asdict(outcome) for outcome in outcomes],
            "quick": quick,
            "date": date.today().isoformat(),
        }
    for key, entry in stored.items():
        labels = {outcome["label"] for outcome in entry["outcomes"]}
        goals = [asdict(goal) for goal in asked.get(key, []) if {goal.ours, goal.against or goal.ours} <= labels]
        entry["row"]["goals"] = goals or entry["row"]["goals"]
    everything = {key: _revive(stored[key]) for key in sorted(stored, key=order)}
    DOCS.mkdir(exist_ok=True)
    (DOCS / "benchmarks.json").write_text(json.dumps(stored, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    dates = [entry["date"] for entry in stored.values()]
    intro = _INTRO.format(
        cores=len(os.sched_getaffinity(0)),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        date=" to ".join(sorted({min(dates), max(dates)})),
        workers=WORKERS,
        quick=" **Some rows were measured with `--quick`, at small sizes.**"
        if any(entry["quick"] for entry in stored.values())
        else "",
    )
    disturbed = [key for key, (row, _) in everything.items() if row.background > QUIET]
    if disturbed:
        intro += _DISTURBED.format(rows=", ".join(disturbed))
    plotted = plot(everything)
    picture = "\n![µs per task, on a logarithmic scale](benchmarks.svg)\n" if plotted else ""
    if not plotted:
        log("no plot: matplotlib is not installed")
    sections = "\n".join(row_table(row, outcomes) for row, outcomes in everything.values())
    missing = absent(everything)
    if unmeasured := sorted(asked.keys() - stored.keys(), key=order):
        missing += f"Rows without a figure yet: {', '.join(unmeasured)}.\n"
    missing = f"\n{missing}" if missing else ""
    (DOCS / "benchmarks.md").write_text(f"{intro}{missing}\n{summary(everything)}{picture}\n{sections}")
    log("wrote docs/benchmarks.md")


def order(key: str) -> tuple[int, int, str]:
    """Speed, no cliffs, METG, size, what survives; in each of them by number."""
    kind, digits, _ = _parts(key)
    return KINDS.index(kind), int(digits or 0), key


def shorter(key: str) -> tuple[str, str]:
    """The names that stand for this row and others of its kind: `N` and `N6` for N6b."""
    kind, digits, _ = _parts(key)
    return kind, kind + digits


def _parts(key: str) -> tuple[str, str, str]:
    found = re.fullmatch(r"([A-Z]+)(\d*)(?:-?(\w+))?", key)
    if found is None or found[1] not in KINDS:
        raise ValueError(f"{key!r} is no row of {', '.join(KINDS)}")
    return found[1], found[2], found[3] or ""


def _revive(stored: Mapping[str, Any]) -> tuple[Row, list[Outcome]]:
    fields = dict(stored["row"], entries=[], goals=[Goal(**goal) for goal in stored["row"]["goals"]])
    return Row(**fields), [Outcome(**outcome) for outcome in stored["outcomes"]]


def plot(rows: Mapping[str, tuple[Row, list[Outcome]]]) -> bool:
    """Draw the rows in µs as horizontal bars on a logarithmic scale; False without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "graflow_fast"
    from matplotlib import pyplot

    shown = [(key, *rows[key]) for key in PLOTTED if key in rows and any(any(o.values) for o in rows[key][1])]
    if not shown:
        return False
    heights = [sum(1 for outcome in outcomes if any(outcome.values)) + 1.5 for _, _, outcomes in shown]
    figure, axes = pyplot.subplots(
        len(shown), 1, figsize=(9, 0.27 * sum(heights)), height_ratios=heights, squeeze=False, layout="constrained"
    )
    for axis, (key, row, outcomes) in zip(axes[:, 0], shown, strict=True):
        for position, outcome in enumerate(outcome for outcome in outcomes if any(outcome.values)):
            figures = spread([value for value in outcome.values if value is not None])
            color = "#c1440e" if "graflow_fast" in outcome.label else "#2f6f8f"
            around = [[figures.median - figures.low], [figures.high - figures.median]]
            axis.barh(position, figures.median, color="#999999" if _bound(outcome.label) else color, height=0.7)
            axis.errorbar(figures.median, position, xerr=around, color="black", linewidth=0.8, capsize=2)
        axis.set_yticks(range(position + 1), [o.label for o in outcomes if any(o.values)], fontsize=7)
        axis.invert_yaxis()
        axis.set_xscale("log")
        axis.tick_params(axis="x", labelsize=7)
        axis.set_title(f"{key}: {row.work} ({row.unit})", fontsize=8, loc="left")
    figure.savefig(DOCS / "benchmarks.svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    return True


def _bound(label: str) -> bool:
    return any(word in label for word in ("limit", "a frame", "bare", "plain", "memcpy"))
