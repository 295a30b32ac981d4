"""Owns the command line of the benchmarks: which rows, at what size, and whether the page is rewritten."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import big_data
import chain
import core
import cpu
import groups
import latency
import maps
import memory
import report
from contest import Outcome, Row, hold

Make = Callable[[bool], Row]
ROWS: dict[str, Make] = {}
for _module in (core, chain, groups, maps, cpu, big_data, latency, memory):
    ROWS.update(_module.ROWS)
ROWS = {key: ROWS[key] for key in sorted(ROWS, key=report.order)}


def chosen(names: str | None) -> list[str]:
    """The rows named by `S3,S8`; `S8` stands for S8a, S8b and S8c as well."""
    if names is None:
        return list(ROWS)
    keys: list[str] = []
    for name in names.split(","):
        matching = [key for key in ROWS if key == name or (key[:-1] == name and key[-1].isalpha())]
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
        "--quick", action="store_true", help="small sizes: three minutes in all, figures for orientation"
    )
    parser.add_argument("--write", action="store_true", help="renew these rows in docs/benchmarks.md and its plot")
    options = parser.parse_args(arguments)
    started, done = time.monotonic(), {}
    reason = core.ready()  # compiles, before anything is timed
    if reason:
        print(f"the Rust bench: {reason}", file=sys.stderr)
    for key in chosen(options.rows):
        before = time.monotonic()
        row, outcomes = measure(key, options.quick, lambda line: print(line, file=sys.stderr, flush=True))
        done[key] = (row, outcomes)
        print(report.row_table(row, outcomes), flush=True)
        print(f"  {key} took {time.monotonic() - before:.0f} s", file=sys.stderr, flush=True)
    print(report.summary(done))
    print(report.absent(done), end="")
    if options.write:
        report.write(done, options.quick, log=lambda line: print(line, file=sys.stderr))
    print(f"{time.monotonic() - started:.0f} s in all", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
