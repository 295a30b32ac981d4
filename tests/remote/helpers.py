"""What tests of stations look at: results, processes, conditions that come true."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def results(context: Any, names: list[str]) -> list[Any]:
    channel = context.get_channel()
    return [channel.get(f"{name}.__result__") for name in names]


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.002)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
