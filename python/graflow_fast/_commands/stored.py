"""What subcommands about recorded runs have in common: which store, which run, what stands in the way.

Must not know what is shown of a run.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graflow_fast._commands.exit_codes import OK, USAGE
from graflow_fast.exceptions import GraflowError

if TYPE_CHECKING:
    from pathlib import Path

    from graflow_fast._record.run import RecordedRun

__all__ = ["add_run", "add_store", "answer", "cache_directory", "file_name", "print_json"]


def add_store(parser: argparse.ArgumentParser) -> None:
    """Let the store be named."""
    parser.add_argument(
        "--store", metavar="FILE", help="the store of runs (GRAFLOW_FAST_STORE, else .graflow_fast/runs.db)"
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """Let a run be named, and its store."""
    parser.add_argument("run", nargs="?", metavar="RUN", help="its number or its name; the latest if none is given")
    add_store(parser)


def cache_directory(store: str | None) -> Path | None:
    """Return where the cached results are that belong to a store, None if there are none."""
    from graflow_fast._cache.entries import directory_of
    from graflow_fast._store import default_path

    directory = directory_of(default_path() if store is None else store)
    return directory if directory.is_dir() else None


def print_json(value: Any) -> None:
    """Print a value as JSON, in one line."""
    print(json.dumps(value, ensure_ascii=False))


def file_name(found: RecordedRun, end: str) -> str:
    """Return the name of a file for something made of a run: its workflow, its number, and that end."""
    meta = found.columns().meta
    workflow = re.sub(r"[^\w.-]+", "_", str(meta["workflow"])).strip("._") or "workflow"
    return f"{workflow}-{meta['run']}{end}"


def answer(work: Callable[[], object]) -> int:
    """Do something with a store and return the exit code; what stands in the way is said in one line."""
    try:
        work()
    except BrokenPipeError:  # as in `graflow-fast tasks | head`
        sys.stderr.close()
        return OK
    except FileNotFoundError as error:
        return _refuse(f"{error}: a run with record=True makes a store, --store names another one")
    except (GraflowError, OSError, ValueError) as error:
        return _refuse(str(error))
    return OK


def _refuse(why: str) -> int:
    print(f"graflow-fast: {why}", file=sys.stderr)
    return USAGE
