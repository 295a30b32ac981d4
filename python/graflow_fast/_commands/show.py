"""Show how a run went, in a few lines: its end, how busy its workers were, what failed, what held it up."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from graflow_fast._commands.stored import add_run, answer, print_json

if TYPE_CHECKING:
    from graflow_fast._record.run import RecordedRun

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``show``."""
    add_run(parser)
    parser.add_argument("--why", metavar="TASK", help="why that task ran, or ran again although it is cached")
    parser.add_argument("--json", action="store_true", help="what is known of the run, with its critical path")


def call(arguments: argparse.Namespace) -> int:
    """Show the run; return the exit code."""

    def work() -> None:
        from graflow_fast._record.commands import summary_json, summary_text
        from graflow_fast._record.loading import load_run

        found = load_run(arguments.store, arguments.run)
        if arguments.why is not None:
            text = _why(found, arguments.why)
            print_json({"format": 1, "task": arguments.why, "text": text}) if arguments.json else print(text)
            return
        print(summary_json(found) if arguments.json else summary_text(found))

    return answer(work)


def _why(run: RecordedRun, task: str) -> str:
    """Return why a task ran, and of one that is cached what became of that."""
    text = run.explain(task)
    origin = run.columns().origins.get(task)
    if origin is None:
        return text
    from graflow_fast._cache.why import sentence

    said = sentence(origin)
    return f"{text}\n{said[0].upper()}{said[1:]}."
