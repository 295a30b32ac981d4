"""Owns the other end of standard output: a process that reads what a contestant prints, as a terminal or a shell would.

Output that nobody reads, or that goes to no pipe, would make prints look cheaper than they are.
"""

from __future__ import annotations

import contextlib
import os
import sys


class Drain:
    """From now on this process and its children print into a pipe; a forked reader counts the lines."""

    def __init__(self) -> None:
        told_in, told_out = os.pipe()
        read, write = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            try:
                os.close(told_in)
                os.close(write)
                _read(read, told_out)
            finally:
                os._exit(0)
        os.close(told_out)
        os.close(read)
        self._told = os.fdopen(told_in, "rb")
        for stream in (1, 2):
            os.dup2(write, stream)
        os.close(write)
        self._line = 0

    def lines(self) -> int:
        """How many lines were read since the last call; everything printed before has been read by then."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(1, b"\0\n")
        total = int(self._told.readline())
        since, self._line = total - self._line, total
        return since

    def close(self) -> None:
        """Print nowhere, and let the reader end once nobody else holds the pipe."""
        with contextlib.suppress(ValueError):
            sys.stdout.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        os.close(nowhere)
        self._told.close()


def _read(pipe: int, answers: int) -> None:
    """Count lines until the pipe ends; a line that is a zero byte asks how many there were before."""
    count, rest = 0, b""
    while data := os.read(pipe, 1 << 16):
        lines = (rest + data).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if line == b"\0":
                os.write(answers, b"%d\n" % count)
            else:
                count += 1
