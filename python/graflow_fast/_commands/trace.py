"""Write a run for ui.perfetto.dev or chrome://tracing."""

from __future__ import annotations

import argparse

from graflow_fast._commands.stored import add_run, answer, file_name

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``trace``."""
    add_run(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; default: WORKFLOW-RUN.json.gz")


def call(arguments: argparse.Namespace) -> int:
    """Write it; return the exit code."""

    def work() -> None:
        from graflow_fast._record.commands import trace_file
        from graflow_fast._record.loading import load_run

        found = load_run(arguments.store, arguments.run)
        path = arguments.output or file_name(found, ".json.gz")
        print(trace_file(found, path))

    return answer(work)
