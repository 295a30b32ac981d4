"""A small terminal for tests: a program in a pseudo-terminal, and the screen that its bytes make.

Knows the few control sequences that are used, and fails on any other. What has scrolled off is kept.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable

_SEQUENCE = re.compile(r"\x1b\[(\d*)([A-Za-z])")


class Screen:
    """Lines of a terminal of some width, from the first on."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.lines: list[list[str]] = [[]]
        self.row = self.column = 0
        #: How many lines were too long for it.
        self.broken = 0

    def feed(self, text: str) -> None:
        """Take in what was written."""
        at = 0
        while at < len(text):
            letter = text[at]
            if letter == "\x1b":
                match = _SEQUENCE.match(text, at)
                assert match, f"unknown sequence {text[at : at + 8]!r}"
                self._control(int(match[1] or 0), match[2])
                at = match.end()
                continue
            at += 1
            if letter == "\r":
                self.column = 0
            elif letter == "\n":
                self.row += 1
                while len(self.lines) <= self.row:
                    self.lines.append([])
            else:
                self._put(letter)

    def _put(self, letter: str) -> None:
        if self.column >= self.columns:
            self.broken += 1
            self.feed("\r\n")
        line = self.lines[self.row]
        line += [" "] * (self.column + 1 - len(line))
        line[self.column] = letter
        self.column += 1

    def _control(self, number: int, kind: str) -> None:
        if kind == "A":
            # It can't leave the part that is seen.
            self.row = max(self.row - number, len(self.lines) - self.rows, 0)
        elif kind == "K" and number == 0:
            del self.lines[self.row][self.column :]
        elif kind == "J" and number == 0:
            del self.lines[self.row][self.column :]
            del self.lines[self.row + 1 :]
        else:
            raise AssertionError(f"unknown sequence {number}{kind}")

    def text(self) -> str:
        """What is to be seen, with what has scrolled off before."""
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip("\n")


class Terminal:
    """A Python program in a terminal."""

    def __init__(self, program: str, columns: int = 90, rows: int = 24, feeds: bool = True, **environment: str) -> None:
        self.screen = Screen(columns, rows)
        #: Whether what is written goes to the screen, which knows few sequences.
        self._feeds = feeds
        #: Every text that the screen has shown after a read.
        self.seen: list[str] = []
        self.written = ""
        self.pid, self._end = pty.fork()
        if self.pid == 0:
            kept = {name: value for name, value in os.environ.items() if name not in ("CI", "TTY_INTERACTIVE")}
            kept |= {"TERM": "xterm", "PYTHONUTF8": "1", **environment}
            os.execve(sys.executable, [sys.executable, "-c", program], kept)
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """Give it another size."""
        self.screen.columns, self.screen.rows = columns, rows
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def write(self, text: str) -> None:
        """Type something."""
        os.write(self._end, text.encode())

    def interrupt(self) -> None:
        """Type Ctrl-C."""
        os.write(self._end, b"\x03")

    def _read(self, wait: float) -> bool:
        if not select.select([self._end], [], [], wait)[0]:
            return True
        try:
            data = os.read(self._end, 1 << 16)
        except OSError:
            return False
        if not data:
            return False
        self.written += data.decode()
        if self._feeds:
            self.screen.feed(data.decode())
            self.seen.append(self.screen.text())
        return True

    def wait_until(self, holds: Callable[[str], bool], seconds: float = 60.0) -> str:
        """Wait until a text of the screen is as it should be; return it."""
        end = time.monotonic() + seconds
        while True:
            for text in self.seen:
                if holds(text):
                    return text
            if time.monotonic() > end or not self._read(1.0):
                raise AssertionError(f"never seen; last:\n{self.screen.text()}")

    def finish(self, seconds: float = 60.0) -> int:
        """Read until the program has ended; return its exit code."""
        end = time.monotonic() + seconds
        while self._read(1.0):
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"it did not end; last:\n{self.screen.text()}")
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._end)
        return code
