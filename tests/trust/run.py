"""Prints the figures of T1-T5: what was injected, how often, what was lost. ``--soak`` injects for longer.

T1 is counted here; T2, T4 and T5 are the tests beside this file, and T3 those of random workflows.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import storm  # noqa: E402

ROWS = {
    "T2 misbehaving bodies x places": ["test_payloads.py"],
    "T2 limits": ["test_limits.py"],
    "T1 crashes and output": ["test_crashes.py", "test_forwarding.py", "test_mutations.py"],
    "T4 bytes on a worker's link": ["test_hostile_pipe.py"],
    "T5 stops at random moments": ["test_stopping.py"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soak", action="store_true", help="ten storms, and every test five times")
    options = parser.parse_args()
    failed = 0
    for seed in range(10 if options.soak else 1):
        try:
            figures = storm.kill_storm(100_000, seed=seed)
        except Exception as error:
            failed += 1
            print(f"T1 kill storm, seed {seed}: FAILED: {error}", flush=True)
            continue
        lost = sum(int(figures[name]) for name in ("wrong results", "lost effects", "doubled effects", "out of order"))
        failed += lost > 0
        print(f"T1 kill storm, seed {seed}: {figures}", flush=True)
    for name, files in ROWS.items():
        for _ in range(5 if options.soak else 1):
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "--no-header", *(str(HERE / file) for file in files)],
                capture_output=True,
                text=True,
                check=False,
            )
            failed += done.returncode != 0
            print(f"{name}: {done.stdout.rstrip().splitlines()[-1]}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
