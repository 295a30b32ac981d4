"""What the command line says with its exit code. Knows no subcommand."""

from __future__ import annotations

__all__ = ["CANCELLED", "FAILED", "INTERRUPTED", "OK", "USAGE"]

#: All went well.
OK = 0
#: A task failed, or the program ended with another exception that nobody caught.
FAILED = 1
#: The command was called in a way it doesn't understand, or what it shall run does not exist.
USAGE = 2
#: A task cancelled the workflow.
CANCELLED = 3
#: Ctrl-C.
INTERRUPTED = 130
