"""Prints the figures of T1, T2, T4, T5, D1 - D3, D10 and D11: what was injected, how often, what was lost.

T3 is ``make meaning``; the other rows D are ``make bench``'s.

Once, every row is done in full. With ``--soak`` they are repeated for so many minutes, storms with new seeds each time.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import storm  # noqa: E402

ROWS = {
    "T2 misbehaving bodies x places": ["test_payloads.py"],
    "T2 limits": ["test_limits.py"],
    "T2 exhausted descriptors, files, folders": ["test_exhaustion.py"],
    "T1 crashes": ["test_crashes.py"],
    "T1 stopped workers": ["../pool/test_stopped.py"],
    "output, mutations, neighbours": [
        "test_forwarding.py",
        "test_live_output.py",
        "test_mutations.py",
        "test_neighbours.py",
    ],
    "T4 bytes on a worker's link": ["test_hostile_pipe.py", "../pool/test_faults.py"],
    "T5 stops at random moments": ["test_stopping.py", "test_interrupts.py"],
    "D1 kills of durable programs at every entry": ["../durable/test_killed.py"],
    "D2 each call of the store that may fail": ["../durable/test_faults.py"],
    "D3 lost power, simulated": ["../durable/test_power.py"],
    "D10 edits that must miss, and that must hit": ["../cache/test_edits.py", "../cache/test_value_keys.py"],
    "D11 races for a run": ["../durable/test_races.py"],
    "hard cases of durable programs": ["../durable/test_hard.py", "../durable/test_hard_looks.py"],
}


class Figures:
    """What was done so far, and what was lost by it."""

    def __init__(self) -> None:
        self.lost = 0
        self.storms: Counter[str] = Counter()
        self.cases: dict[str, Counter[str]] = {name: Counter() for name in ROWS}

    def kill_storm(self, tasks: int, seed: int) -> None:
        try:
            figures = storm.kill_storm(tasks, seed=seed)
        except Exception as error:
            self.lost += 1
            print(f"T1 kill storm, seed {seed}: FAILED: {error}: {error.__cause__}", flush=True)
            return
        self.lost += sum(int(figures[name]) for name in storm.LOSSES)
        self.storms.update({"storms": 1, **figures})
        print(f"T1 kill storm, seed {seed}: {figures}", flush=True)

    def row(self, name: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rP", "--no-header", "-p", "no:cacheprovider"]
            + [str(HERE / file) for file in ROWS[name]],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"GRAFLOW_FAST_KILLS": "all"},
        )
        last = done.stdout.rstrip().splitlines()[-1]
        self.lost += done.returncode != 0
        self.cases[name].update({word: int(count) for count, word in re.findall(r"(\d+) ([a-z]+)", last)})
        failures = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        told = [line for line in done.stdout.splitlines() if re.match(r"D\d+: ", line)]
        print(f"{name}: {last}", *told, *failures, sep="\n  ", flush=True)

    def total(self, seconds: float) -> None:
        print(f"--- {seconds / 60:.1f} minutes; failed or lost: {self.lost}")
        print("T1 kill storms:", dict(self.storms))
        for name, counts in self.cases.items():
            print(f"{name}:", dict(counts))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", action="store_true", help="repeat until the time is over")
    parser.add_argument("--minutes", type=float, default=30, help="how long (only with --soak; 30)")
    parser.add_argument("--tasks", type=int, default=100_000, help="tasks in a kill storm (100 000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first storm")
    options = parser.parse_args()
    figures = Figures()
    begun = time.monotonic()
    until = begun + options.minutes * 60
    seed = options.seed
    while seed == options.seed or (options.soak and time.monotonic() < until):
        figures.kill_storm(options.tasks, seed)
        for name in ROWS:
            if not options.soak or time.monotonic() < until:
                figures.row(name)
        seed += 1
    figures.total(time.monotonic() - begun)
    return 1 if figures.lost else 0


if __name__ == "__main__":
    sys.exit(main())
