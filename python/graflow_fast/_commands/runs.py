"""List the runs of a store, the newest first."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

from graflow_fast._commands.stored import add_store, answer, print_json

if TYPE_CHECKING:
    from graflow_fast._store import RunRow

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``runs``."""
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="one object a line")


def call(arguments: argparse.Namespace) -> int:
    """List them; return the exit code."""

    def work() -> None:
        from graflow_fast._store import list_runs

        rows = list_runs(arguments.store)
        if arguments.json:
            for row in rows:
                print_json({**row, "counts": json.loads(row["counts"] or "{}"), "state": state_of(row)})
            return
        table = [("run", "workflow", "state", "started", "took", "tasks"), *map(_line, rows)]
        widths = [max(len(line[column]) for line in table) for column in range(6)]
        for line in table:
            print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())

    return answer(work)


def state_of(row: RunRow) -> str:
    """Return how a run stands, in a word: one whose process died without an end was killed."""
    return "killed" if row["state"] == "running" and not row["live"] else row["state"]


def _line(row: RunRow) -> tuple[str, ...]:
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(row["started"]))
    took = "" if row["ended"] is None else f"{row['ended'] - row['started']:.1f} s"
    counts = json.loads(row["counts"] or "{}")
    failed = counts.get("failed", 0)
    tasks = f"{counts.get('completed', 0)}{f', {failed} failed' if failed else ''}" if counts else ""
    name = f"{row['id']}" + (f" ({row['name']})" if row["name"] else "")
    return name, row["workflow"], state_of(row), started, took, tasks
