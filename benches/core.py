"""Owns rows S1 and M1: the Rust bench of the scheduler, run by cargo; this reads the lines it prints.

The bench prints one line per graph size: `S1 nodes=1000000 ns=123.4` for a transition and
`M1 nodes=1000000 bytes=120.5` for a node and its edges. Other lines are ignored.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from contest import HERE, Entry, Goal, Row

_LINE = re.compile(r"^(S1|M1)\s+nodes=([\d_]+)\s+(?:ns|bytes)=([\d.]+)\s*$", re.MULTILINE)
SIZES = {False: (1_000, 1_000_000, 10_000_000), True: (1_000, 100_000)}


def parse(text: str) -> dict[tuple[str, int], float]:
    """Figures by row and number of nodes."""
    return {(row, int(nodes.replace("_", ""))): float(value) for row, nodes, value in _LINE.findall(text)}


@cache
def ready() -> str:
    """Build the bench ahead, so that building isn't counted as running; the reason if that can't be done."""
    cargo, root = shutil.which("cargo"), HERE.parent
    if cargo is None:
        return "cargo is not installed"
    if not list(Path(root, "rust/scheduler/benches").glob("*.rs")):
        return "rust/scheduler has no bench yet"
    command = [cargo, "bench", "-q", "-p", "graflow-scheduler", "--no-run"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error")]
    return "" if done.returncode == 0 else (errors or ["cargo bench doesn't build"])[0]


class RustBench:
    """One figure of the Rust bench; it is run once per repetition and size, with the size as its argument."""

    def __init__(self, row: str) -> None:
        self._row = row
        if reason := ready():
            raise RuntimeError(reason)

    def run(self, size: int) -> float:
        command = ["cargo", "bench", "-q", "-p", "graflow-scheduler", "--", "--nodes", str(size)]
        done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=55, check=False)
        figures = parse(done.stdout)
        if done.returncode != 0 or (self._row, size) not in figures:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise RuntimeError(lines[-1] if lines else f"no line for {self._row} at {size} nodes")
        return figures[self._row, size]

    def close(self) -> None:
        """Nothing to close."""


def s1(quick: bool) -> Row:
    """Complete a task, apply its directives, find what is ready."""
    sizes = SIZES[quick]
    labels = {size: f"Rust core, {size} nodes" for size in sizes}
    small, large = labels[sizes[0]], labels[sizes[-1]]
    return Row(
        key="S1",
        work="the core alone: complete a task, apply its directives, find what is ready",
        unit="ns a transition",
        entries=[Entry(labels[size], "core:RustBench", size, {"row": "S1"}, warm=0) for size in sizes],
        goals=[
            *[Goal(f"≤ 150 ns at {size}", labels[size], 150) for size in sizes],
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
        entries=[Entry("Rust core", "core:RustBench", size, {"row": "M1"}, warm=0)],
        goals=[Goal("≤ 150 bytes", "Rust core", 150)],
        runs=1,
    )


ROWS = {"S1": s1, "M1": m1}
