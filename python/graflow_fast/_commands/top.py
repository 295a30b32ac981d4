"""Show the runs of a store that are going on: how far each is, and what its functions take; again and again.

Owns how often and where. What is shown comes from the records that the runs write twice a second, so looking costs them
nothing.
"""

from __future__ import annotations

import argparse
import sys
import time

from graflow_fast._commands.stored import add_run, answer

__all__ = ["add_arguments", "call"]

#: Seconds between two looks, on a terminal and elsewhere.
_ON_TERMINAL, _ELSEWHERE = 1.0, 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``top``."""
    add_run(parser)
    parser.add_argument("--once", action="store_true", help="look once, and end")
    parser.add_argument(
        "--interval", type=float, metavar="SECONDS", help="between two looks (1 on a terminal, else 10)"
    )
    parser.add_argument("--json", action="store_true", help="one object a line for each look at a run")


def call(arguments: argparse.Namespace) -> int:
    """Show them until all have ended, or until Ctrl-C; return the exit code."""

    def work() -> None:
        draws = sys.stdout.isatty() and not arguments.json and not arguments.once
        pause = arguments.interval or (_ON_TERMINAL if draws else _ELSEWHERE)
        lines = 0
        while True:
            began = time.monotonic()
            blocks, going_on = _look(arguments)
            if draws and lines:
                print(f"\x1b[{lines}F\x1b[0J", end="")
            print("\n".join(blocks), flush=True)
            lines = sum(block.count("\n") + 1 for block in blocks)
            if arguments.once or not going_on:
                return
            # Reading must not take more than a tenth of the time, however long a run is.
            time.sleep(max(pause, 9 * (time.monotonic() - began)))

    try:
        return answer(work)
    except KeyboardInterrupt:
        return 0


def _look(arguments: argparse.Namespace) -> tuple[list[str], bool]:
    """Return a block for each run, and whether one of them goes on."""
    from graflow_fast._record.commands import live_json, live_lines
    from graflow_fast._record.loading import load_run
    from graflow_fast._store import list_runs

    if arguments.run is not None:
        chosen = [arguments.run]
    else:
        rows = list_runs(arguments.store)
        chosen = [row["id"] for row in rows if row["live"]]
        if not chosen:
            latest = f"; the latest, {rows[0]['id']}, is {rows[0]['state']}" if rows else ""
            return ["{}" if arguments.json else f"no run is going on{latest}"], False
    runs = [load_run(arguments.store, each) for each in chosen]
    blocks = [live_json(run) if arguments.json else live_lines(run) for run in runs]
    return blocks, any(run.columns().meta["outcome"] == "running" for run in runs)
