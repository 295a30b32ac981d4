"""What the programs here have in common: places, and files as signs that a body has begun."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

EXECUTORS = ("inline", "thread", "process", "auto")


class Signs:
    """Files that bodies, wherever they run, leave and wait for."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def seen(self, name: str) -> bool:
        """Whether somebody has left that one."""
        return Path(self.folder, name).exists()

    def leave(self, name: str) -> None:
        """Leave one."""
        Path(self.folder, name).touch()

    def await_(self, name: str, seconds: float = 20.0) -> None:
        """Wait until somebody has left that one."""
        wait_until(lambda: self.seen(name), seconds)


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition, with a bound."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)
