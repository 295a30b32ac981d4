"""The command line's parser: it finds the subcommand, imports its file and calls it.

Owns which subcommands there are. A subcommand is a file of this folder with ``add_arguments(parser)`` and
``call(arguments) -> exit code``; only the one that was asked for is imported, so that ``--help`` is quick. Must not
know what they do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

__all__ = ["PROGRAM", "SUBCOMMANDS", "main"]

#: Each subcommand's name, which is its file's name too (``_`` for ``-``), and what the help says of it.
SUBCOMMANDS = {
    "run": "run a program, a module or code, with 'import graflow' meaning graflow_fast",
    "plan": "say what a program would run, in which order, without running it",
    "runs": "list the runs that were recorded",
    "show": "show how a run went, in a few lines",
    "tasks": "list the attempts of a run, or those that a condition selects",
    "what-if": "say how long a run would have taken with other workers or faster tasks",
    "explain": "say why a task of a run ran, waited, failed or was skipped",
    "top": "show the runs that are going on, again and again",
    "stacks": "show what running programs and their workers are doing now",
    "serve": "show the report of a run in a browser, while it goes",
    "report": "write the report of a run, one HTML file",
    "trace": "write a run for Perfetto",
    "resume": "go on with a durable run that was killed or has failed",
    "gc": "remove old runs from the store",
    "check": "look for damage in the store",
    "completion": "print what completes this command in bash, zsh or tcsh",
}
PROGRAM = "graflow-fast"
_EXAMPLES = """\
A program can be named without 'run': graflow-fast program.py ARGS, -m MODULE ARGS, -c CODE ARGS.
exit codes: 0 all went well, 1 a task failed, 2 wrong usage, 3 a task cancelled the workflow, 130 Ctrl-C"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says.

    Args:
        arguments: what stands behind the command; None (default): this process's.

    Returns:
        The exit code; see `exit_codes`.

    Raises:
        SystemExit: help was asked for, or the usage is wrong (code 2).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        _parser().print_help(sys.stderr)
        return 2
    if words[0] not in SUBCOMMANDS and words[0] not in ("-h", "--help", "--version", "-V"):
        words.insert(0, "run")
    if words[0] not in SUBCOMMANDS:
        _parser().parse_args(words)
    command = import_module(f"graflow_fast._commands.{words[0].replace('-', '_')}")
    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {words[0]}", description=(command.__doc__ or "").partition("\n")[0]
    )
    command.add_arguments(parser)
    code: int = command.call(parser.parse_args(words[1:]))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Run workflows of graflow_fast, and programs written for graflow.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action=_Version, nargs=0, help="say which version this is")
    commands = parser.add_subparsers(title="subcommands", metavar="COMMAND")
    for name, what in SUBCOMMANDS.items():
        commands.add_parser(name, help=what, add_help=False)
    return parser


class _Version(argparse.Action):
    """Says the version, which is imported only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from graflow_fast import __version__

        print(f"graflow_fast {__version__}")
        parser.exit()
