"""Go on with a durable run that was killed or has failed: start its program again, where it was started.

Owns which run that is and how its program finds out. What the program does then is its own ``execute(durable=...)``'s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys

from graflow_fast._commands.exit_codes import USAGE
from graflow_fast._store import default_path, open_store

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``resume``."""
    parser.add_argument("run", nargs="?", help="the run's number or name; default: the latest that can go on")
    parser.add_argument("--store", help="the store of runs; default: the usual one")
    parser.add_argument("--json", action="store_true", help="print which run goes on as JSON, before it does")


def call(arguments: argparse.Namespace) -> int:
    """Start the program of a run again; return its exit code."""
    path = os.path.abspath(arguments.store or default_path())
    try:
        rows = open_store(path, read_only=True).runs()
    except OSError as error:
        print(f"graflow-fast: {error}", file=sys.stderr)
        return USAGE
    able = [row for row in rows if row["state"] in ("running", "failed") and not row["live"] and row["program"]]
    found = [row for row in able if arguments.run in (None, str(row["id"]), row["name"])]
    if not found:
        which = "no run" if arguments.run is None else f"no run {arguments.run}"
        print(f"graflow-fast: there is {which} in {path} that was durable and could go on", file=sys.stderr)
        return USAGE
    row = found[0]
    program = json.loads(row["program"])
    if arguments.json:
        print(json.dumps({"format": 1, "run": row["id"], "name": row["name"], **program}), flush=True)
    environment = {**os.environ, "GRAFLOW_FAST_RESUME": f"{row['id']} {path}"}
    return subprocess.run(program["argv"], cwd=program["cwd"], env=environment, check=False).returncode
