"""Print what completes this command in a shell: eval "$(graflow-fast completion bash)" in ~/.bashrc.

Must not know the subcommands: they say themselves what can stand behind them.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from graflow_fast._commands.exit_codes import OK, USAGE

__all__ = ["add_arguments", "call"]

_SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``completion``."""
    parser.add_argument("shell", choices=_SHELLS, help="for which shell")


def call(arguments: argparse.Namespace) -> int:
    """Print it; return the exit code."""
    from graflow_fast._extras import import_extra

    try:
        shtab = import_extra("shtab", "completion", "Completion in a shell")
    except ImportError as error:
        print(f"graflow-fast: {error}", file=sys.stderr)
        return USAGE
    print(shtab.complete(_whole_parser(shtab.FILE), arguments.shell))
    return OK


def _whole_parser(file: object) -> argparse.ArgumentParser:
    """Return a parser that knows the options of all subcommands, where usually only one of them is imported."""
    from graflow_fast._commands.main import PROGRAM, SUBCOMMANDS

    parser = argparse.ArgumentParser(prog=PROGRAM)
    commands = parser.add_subparsers()
    for name, what in SUBCOMMANDS.items():
        command = import_module(f"graflow_fast._commands.{name.replace('-', '_')}")
        below = commands.add_parser(name, help=what, description=what)
        command.add_arguments(below)
        for action in below._actions:
            if action.metavar in ("FILE", "PROGRAM"):
                action.complete = file  # type: ignore[attr-defined]
    return parser
