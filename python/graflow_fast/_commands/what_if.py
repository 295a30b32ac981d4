"""Say how long a run would have taken with other workers, without a task, or with a faster one."""

from __future__ import annotations

import argparse

from graflow_fast._commands.stored import add_run, answer

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``what-if``."""
    add_run(parser)
    parser.add_argument(
        "--workers",
        type=_numbers,
        metavar="N,N,...",
        help="numbers of workers (default: 1, 2, 4, 8 and that of the run)",
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="NAME", help="a task or function that takes no time at all"
    )
    parser.add_argument(
        "--faster",
        action="append",
        default=[],
        type=_factor,
        metavar="NAME=TIMES",
        help="a task or function, and how many times as fast it is",
    )
    parser.add_argument("--json", action="store_true", help="one object with all answers")


def call(arguments: argparse.Namespace) -> int:
    """Answer; return the exit code."""

    def work() -> None:
        from graflow_fast._record.commands import what_if_json, what_if_lines
        from graflow_fast._record.loading import load_run

        run = load_run(arguments.store, arguments.run)
        answers = what_if_json if arguments.json else what_if_lines
        print(answers(run, arguments.workers, arguments.without, dict(arguments.faster)))

    return answer(work)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _factor(text: str) -> tuple[str, float]:
    name, found, times = text.rpartition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=TIMES")
    return name, float(times)
