"""Owns the command line of the benchmarks: which rows, at what size, and whether the page is rewritten."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import core
import report
from contest import HERE, Outcome, Row, hold

Make = Callable[[bool], Row]


def collect() -> dict[str, Make]:
    """The rows of all files of this folder that have a table `ROWS`, in the order of the budgets."""
    rows: dict[str, Make] = {}
    for path in sorted(HERE.glob("*.py")):
        if re.search(r"^ROWS\b", path.read_text(), re.MULTILINE) and path.stem != "run":
            found: dict[str, Make] = importlib.import_module(path.stem).ROWS
            if twice := rows.keys() & found.keys():
                raise RuntimeError(f"{path.name} has rows that another file has: {', '.join(sorted(twice))}")
            rows.update(found)
    return {key: rows[key] for key in sorted(rows, key=report.order)}


ROWS = collect()


def chosen(names: str | None) -> list[str]:
    """The rows named by `S3,S8`; `S8` stands for S8a, S8b and S8c as well, `N` for all rows of *No cliffs*."""
    if names is None:
        return list(ROWS)
    keys: list[str] = []
    for name in names.split(","):
        matching = [key for key in ROWS if name in (key, *report.shorter(key))]
        if not matching:
            raise SystemExit(f"no row {name!r}; there are {', '.join(ROWS)}")
        keys.extend(key for key in matching if key not in keys)
    return keys


def background(seconds: float = 0.3) -> float:
    """How many cores others use while this program does nothing."""
    before = _busy_ticks()
    started = time.monotonic()
    time.sleep(seconds)
    return (_busy_ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - started)


def _busy_ticks() -> int:
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4]  # all but idle and waiting for disks


def measure(key: str, quick: bool = False, log: Callable[[str], None] = print) -> tuple[Row, list[Outcome]]:
    """Run one row."""
    row = ROWS[key](quick)
    if quick:
        row = replace(row, runs=min(row.runs, 3))
    row = replace(row, background=round(background(), 2))
    return row, hold(row, log, patience=20 if quick else 60)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure rows of docs/benchmarks.md beside their peers and beside the limit."""
    parser = argparse.ArgumentParser(prog="benches/run.py", description=main.__doc__)
    parser.add_argument("--rows", help="only these, for example S2,S3 (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: some minutes in all, figures for orientation"
    )
    parser.add_argument("--write", action="store_true", help="renew these rows in docs/benchmarks.md and its plot")
    parser.add_argument(
        "--page", action="store_true", help="measure nothing; write the page anew from the figures it was made of"
    )
    options = parser.parse_args(arguments)
    started, done = time.monotonic(), {}
    keys = [] if options.page else chosen(options.rows)
    if core.ROWS.keys() & set(keys) and (reason := core.ready()):  # compiles, before anything is timed
        print(f"the Rust bench: {reason}", file=sys.stderr)
    for key in keys:
        before = time.monotonic()
        row, outcomes = measure(key, options.quick, lambda line: print(line, file=sys.stderr, flush=True))
        done[key] = (row, outcomes)
        print(report.row_table(row, outcomes), flush=True)
        print(f"  {key} took {time.monotonic() - before:.0f} s", file=sys.stderr, flush=True)
    if done:
        print(report.summary(done))
        print(report.absent(done), end="")
    if options.write or options.page:
        asked = {key: make(options.quick).goals for key, make in ROWS.items()}
        report.write(done, options.quick, asked, log=lambda line: print(line, file=sys.stderr))
    print(f"{time.monotonic() - started:.0f} s in all", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
