"""Serve the report of a run on this machine, filling as the run goes.

Owns what is printed and how it ends; the pages are `_record.serving`'s.
"""

from __future__ import annotations

import argparse

from graflow_fast._commands.stored import add_run, answer

__all__ = ["add_arguments", "call"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can stand behind ``serve``."""
    add_run(parser)
    parser.add_argument("--port", type=int, default=0, metavar="N", help="where to listen (any that is free)")
    parser.add_argument("--open", action="store_true", help="open it in a browser")


def call(arguments: argparse.Namespace) -> int:
    """Serve it until Ctrl-C; return the exit code."""

    def work() -> None:
        from graflow_fast._record.serving import Server

        server = Server(arguments.store, arguments.run, arguments.port)
        print(f"{server.address} (until Ctrl-C)", flush=True)
        if arguments.open:
            import webbrowser

            webbrowser.open(server.address)
        server.serve()

    try:
        return answer(work)
    except KeyboardInterrupt:
        return 0
