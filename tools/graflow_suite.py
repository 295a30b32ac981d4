"""Run graflow's own test-suite on this engine: python tools/graflow_suite.py FOLDER.

FOLDER is a checkout of graflow, whose source distributions have no tests. Its tests run by ``-p graflow_fast.install``;
what fails must stand in `tests/drop_in/suite_expected.txt`, with a reason, and what stands there must fail. Nothing of
the checkout is written to. Bodies run in threads of this process, as in graflow: many tests look at variables that they
change.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXPECTED = ROOT / "tests/drop_in/suite_expected.txt"
OUTCOME = re.compile(r"^(FAILED|ERROR) (\S+)", re.MULTILINE)


def expected() -> dict[str, str]:
    """Return what is known to fail, as patterns of test ids, each with its reason."""
    found, reason = {}, ""
    for line in EXPECTED.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            reason = line[2:]
        elif line.strip():
            found[line.strip()] = reason
    return found


def main() -> int:
    """Run the suite, compare, and say what differs."""
    suite = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("tests", "examples"):
            os.symlink(suite / name, Path(scratch) / name)
        (Path(scratch) / "pytest.ini").write_text("[pytest]\nmarkers =\n    integration: needs a service\n")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "graflow_fast.install", "-p", "no:cacheprovider"]
        command += ["--continue-on-collection-errors", "--timeout=60", "--tb=no", "-rfE", "tests"]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "GRAFLOW_FAST_EXECUTOR": "thread"}
        done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
    failed = {name for _, name in OUTCOME.findall(done.stdout)}
    known = expected()
    new = sorted(name for name in failed if not any(fnmatch.fnmatchcase(name, each) for each in known))
    fine = sorted(each for each in known if not any(fnmatch.fnmatchcase(name, each) for name in failed))
    for name in new:
        print(f"fails, and is not expected to: {name}")
    for each in fine:
        print(f"is expected to fail and does not ({known[each]}): {each}")
    print(done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr)
    ran = re.search(r"\d+ passed", done.stdout)
    return 1 if new or fine or not ran else 0


if __name__ == "__main__":
    raise SystemExit(main())
