"""Look for damage in the store: all that it has is read, and nothing is changed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from graflow_fast._commands.exit_codes import FAILED
from graflow_fast._commands.stored import add_store, answer, cache_directory, print_json

if TYPE_CHECKING:
    from graflow_fast._store import CheckReport

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``check``."""
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="what was read and found, as one object")


def call(arguments: argparse.Namespace) -> int:
    """Read it; return the exit code, 1 for damage."""
    damaged = False

    def work() -> None:
        nonlocal damaged
        from graflow_fast._cache.cleaning import check as check_results

        directory = cache_directory(arguments.store)
        results = None if directory is None else check_results(directory)
        found = _check_runs(arguments.store, is_alone=results is None)
        damaged = bool(found["findings"] or (results and results["damaged"]))
        if arguments.json:
            print_json({**found, "cache": results})
            return
        for finding in found["findings"]:
            where = "the file" if finding["run"] is None else f"run {finding['run']}"
            print(f"damaged: {where}: {finding['what']}")
        print(f"{found['runs']} runs, {found['records']} records, {found['bytes']} bytes were read")
        if results is not None:
            for each in results["damaged"]:
                print(f"damaged: a cached result, which will be made anew: {each}")
            print(f"{results['results']} cached results, {results['bytes']} bytes were read")

    code = answer(work)
    return FAILED if damaged and not code else code


def _check_runs(store: str | None, is_alone: bool) -> CheckReport:
    from graflow_fast._store import check

    try:
        return check(store)
    except FileNotFoundError:
        if is_alone:
            raise
        return {"runs": 0, "records": 0, "bytes": 0, "findings": []}  # results were kept, and no run
