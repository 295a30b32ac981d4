"""Owns rows S1 and M1: the Rust bench of the scheduler, run by cargo; this reads the lines it prints.

The bench prints a line per shape of graph and size, `chain   1000000 nodes   123.4 ns a transition, 81 bytes a node`,
and takes the largest size as its argument. Other lines are ignored.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from contest import HERE, Entry, Goal, Row

_LINE = re.compile(r"^(\S.*?)\s+(\d+) nodes\s+([\d.]+) ns a transition(?:.*?(\d+) bytes a node)?", re.MULTILINE)
SIZES = {False: (1_000, 1_000_000, 10_000_000), True: (1_000, 100_000)}
OTHERS = ("diamonds of 9, each a join", "group of leaf members, 1024 in flight", "added and enqueued at run time")


def parse(text: str) -> dict[tuple[str, int], tuple[float, float | None]]:
    """Nanoseconds a transition, and bytes a node where they are known, by shape and number of nodes."""
    return {
        (shape, int(nodes)): (float(time), float(size) if size else None)
        for shape, nodes, time, size in _LINE.findall(text)
    }


@cache
def ready() -> str:
    """Build the bench ahead, so that building isn't counted as running; the reason if that can't be done."""
    cargo, root = shutil.which("cargo"), HERE.parent
    if cargo is None:
        return "cargo is not installed"
    if not list(Path(root, "rust/scheduler/benches").glob("*.rs")):
        return "rust/scheduler has no bench yet"
    command = [cargo, "bench", "-q", "-p", "graflow-scheduler", "--bench", "transitions", "--no-run"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error")]
    return "" if done.returncode == 0 else (errors or ["cargo bench doesn't build"])[0]


class RustBench:
    """One figure of the Rust bench: a shape's nanoseconds a transition, or its bytes a node."""

    def __init__(self, shape: str = "chain", size: bool = False) -> None:
        self._shape, self._size = shape, size
        if reason := ready():
            raise RuntimeError(reason)

    def run(self, size: int) -> float:
        command = ["cargo", "bench", "-q", "-p", "graflow-scheduler", "--bench", "transitions", "--", str(size)]
        done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=55, check=False)
        figure = parse(done.stdout).get((self._shape, size), (None, None))[self._size]
        if done.returncode != 0 or figure is None:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise RuntimeError(lines[-1] if lines else f"no figure for {self._shape} at {size} nodes")
        return figure

    def close(self) -> None:
        """Nothing to close."""


def s1(quick: bool) -> Row:
    """Complete a task, apply its directives, find what is ready."""
    sizes = SIZES[quick]
    labels = {size: f"chain, {size} nodes" for size in sizes}
    small, large = labels[sizes[0]], labels[sizes[-1]]
    middle = 1_000 if quick else 1_000_000
    return Row(
        key="S1",
        work="the core alone: complete a task, apply its directives, find what is ready",
        unit="ns a transition",
        entries=[
            *[Entry(labels[size], "core:RustBench", size, warm=0) for size in sizes],
            *[Entry(shape, "core:RustBench", middle, {"shape": shape}, warm=0, runs=1) for shape in OTHERS],
        ],
        goals=[
            *[Goal(f"≤ 100 ns at {size}", labels[size], 100) for size in sizes],
            Goal("flat (≤ 1.5 ×)", large, 1.5, against=small),
        ],
        runs=3,
    )


def m1(quick: bool) -> Row:
    """Bytes for a node and its edges."""
    size = 100_000 if quick else 1_000_000
    return Row(
        key="M1",
        work=f"graph of {size} nodes in the core, names aside",
        unit="bytes a node",
        entries=[Entry("chain", "core:RustBench", size, {"size": True}, warm=0)],
        goals=[Goal("≤ 150 bytes", "chain", 150)],
        runs=1,
    )


ROWS = {"S1": s1, "M1": m1}
