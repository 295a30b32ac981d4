"""Show how a run went, in a few lines: its end, how busy its workers were, what failed, what held it up."""

from __future__ import annotations

import argparse

from graflow_fast._commands.stored import add_run, answer

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``show``."""
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="what is known of the run, with its critical path")


def call(arguments: argparse.Namespace) -> int:
    """Show the run; return the exit code."""

    def work() -> None:
        from graflow_fast._record.commands import summary_json, summary_text
        from graflow_fast._record.loading import load_run

        found = load_run(arguments.store, arguments.run)
        print(summary_json(found) if arguments.json else summary_text(found))

    return answer(work)
