"""Remove old runs and cached results from the store, which shrinks. Without --yes it only says what would go."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from graflow_fast._commands.stored import add_store, answer, cache_directory, print_json

if TYPE_CHECKING:
    from graflow_fast._store import CleaningReport

__all__ = ["add_arguments", "call"]

_AGES = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``gc``."""
    add_store(parser)
    parser.add_argument(
        "--older", type=age, metavar="AGE", help="runs that ended longer ago, results last used longer ago: 30d, 12h"
    )
    parser.add_argument("--keep", type=int, metavar="N", help="how many of the newest stay in any case")
    parser.add_argument("--max-bytes", type=size, metavar="SIZE", help="the oldest go until it is smaller: 5G, 200M")
    parser.add_argument("--unfinished", action="store_true", help="also runs that have not ended")
    parser.add_argument("--yes", action="store_true", help="do it")
    parser.add_argument("--json", action="store_true", help="what was removed, as one object")
    parser.set_defaults(parser=parser)


def age(text: str) -> float:
    """Return seconds of a text such as 30d.

    Raises:
        ArgumentTypeError: it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h|d|w)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age: write 30d, 12h or 2w")
    return float(found[1]) * _AGES[found[2]]


def size(text: str) -> int:
    """Return bytes of a text such as 5G.

    Raises:
        ArgumentTypeError: it is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMG]?)B?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 5G, 200M or a number of bytes")
    return int(float(found[1]) * _SIZES[found[2]])


def call(arguments: argparse.Namespace) -> int:
    """Remove them, or say which would go; return the exit code."""
    if arguments.older is None and arguments.keep is None and arguments.max_bytes is None:
        arguments.parser.error("say what may go: --older, --keep or --max-bytes")

    def work() -> None:
        from graflow_fast._cache.cleaning import clean

        limits: dict[str, Any] = {"older": arguments.older, "max_bytes": arguments.max_bytes}
        results = cache_directory(arguments.store)
        cleaned = None if results is None else clean(results, **limits, dry=not arguments.yes)
        done = _remove_runs(arguments, limits, is_alone=cleaned is None)
        if arguments.json:
            print_json({**done, "cache": cleaned})
            return
        runs = ", ".join(str(row["id"]) for row in done["removed"]) or "none"
        if arguments.yes:
            print(f"removed: {runs}; the store had {done['before']} bytes and has {done['after']}")
        else:
            print(f"would remove: {runs}; --yes does it")
        if cleaned is not None:
            would = "" if arguments.yes else "would be "
            left = f"{cleaned['after']} of {cleaned['before']} bytes stay"
            print(f"cached results {would}removed: {cleaned['removed']}; {left}")

    return answer(work)


def _remove_runs(arguments: argparse.Namespace, limits: dict[str, Any], is_alone: bool) -> CleaningReport:
    from graflow_fast._store import gc

    try:
        more = {"keep": arguments.keep, "unfinished": arguments.unfinished, "dry": not arguments.yes}
        return gc(arguments.store, **limits, **more)
    except FileNotFoundError:
        if is_alone:
            raise
        return {"removed": [], "before": 0, "after": 0}  # results were kept, and no run
