"""Write the report of a run: one HTML file that needs no network."""

from __future__ import annotations

import argparse

from graflow_fast._commands.stored import add_run, answer, file_name

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``report``."""
    add_run(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; default: WORKFLOW-RUN.html")
    parser.add_argument("--max-mb", type=float, default=32.0, metavar="N", help="its greatest size, in 10^6 bytes (32)")


def call(arguments: argparse.Namespace) -> int:
    """Write it; return the exit code."""

    def work() -> None:
        from graflow_fast._record.commands import report_file
        from graflow_fast._record.loading import load_run

        found = load_run(arguments.store, arguments.run)
        path = arguments.output or file_name(found, ".html")
        print(report_file(found, path, max_mb=arguments.max_mb))

    return answer(work)
