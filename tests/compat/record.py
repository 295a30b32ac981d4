"""Write down what graflow prints: python tests/compat/record.py PYTHON [NAME...].

PYTHON is an interpreter with graflow 0.2.0 (and grandalf, for the drawings). Programs that say `differs:`
get `<name>.graflow.out`; their `<name>.out` is written by hand from the contract. All others get `<name>.out`.

With --check nothing is written: the outputs are compared with the stored ones. With --live the programs run
with graflow's own thread timing (by default: one thread, members merged in member order), to see which outputs
depend on it: the order in which members fail, and which of them writes last.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from headers import EXPECTED, header, names


def main() -> int:
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    check, live = "--check" in sys.argv, "--live" in sys.argv
    python, wanted = arguments[0], arguments[1:] or names()
    environment = dict(os.environ, **({"COMPAT_LIVE": "1"} if live else {}))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "results.json"
        runner = Path(__file__).parent / "runner.py"
        subprocess.run([python, str(runner), "graflow", str(out), *wanted], check=True, env=environment)
        results = json.loads(out.read_text(encoding="utf-8"))
    bad = 0
    for name in wanted:
        result = results[name]
        target = EXPECTED / (f"{name}.graflow.out" if "differs" in header(name) else f"{name}.out")
        text = result["stdout"]
        if result["code"]:
            last = result["stderr"].strip().splitlines()[-1:]
            text += f"[exit code {result['code']}]\n"
            if "differs" not in header(name):
                print(f"FAILED {name}: {last}")
                bad += 1
        if check:
            if not target.exists() or target.read_text(encoding="utf-8") != text:
                print(f"CHANGED {name}")
                bad += 1
        else:
            target.write_text(text, encoding="utf-8")
    for name in wanted:
        if "differs" in header(name) and not (EXPECTED / f"{name}.out").exists():
            print(f"MISSING {name}.out (to be written by hand)")
            bad += 1
    print(f"{len(wanted)} programs, {bad} problems")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
