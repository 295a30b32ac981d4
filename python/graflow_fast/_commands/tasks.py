"""List the attempts of a run, all or those that a condition selects."""

from __future__ import annotations

import argparse

from graflow_fast._commands.stored import add_run, answer

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``tasks``."""
    add_run(parser)
    parser.add_argument(
        "--where", default="", metavar="WORDS", help="such as 'status=failed', 'fn=measure >1s', 'worker=1 waited>0.5s'"
    )
    parser.add_argument("--json", action="store_true", help="one object, a task to a line")
    parser.add_argument("--prometheus", action="store_true", help="sums by function instead, as a file of metrics")


def call(arguments: argparse.Namespace) -> int:
    """List them; return the exit code."""

    def work() -> None:
        from graflow_fast._record.commands import tasks_lines
        from graflow_fast._record.loading import load_run

        run = load_run(arguments.store, arguments.run)
        if arguments.prometheus:
            from graflow_fast._record.prometheus import metric_lines

            print("\n".join(metric_lines(run)))
            return
        for line in tasks_lines(run, where=arguments.where, as_json=arguments.json):
            print(line)

    return answer(work)
