"""Run the short suite on every interpreter there is: what differs from one version of Python to the next.

Owns which interpreters those are, an environment for each, and which tests the short suite has. The whole suite is
``make test``'s, on one version. Must not know what is tested. Needs nothing but the standard library.

``PYTHONS`` names the interpreters instead (paths, separated by blanks), ``PROGRAMS`` how many random programs each
runs. Environments are kept in the folder that is the one argument, beside the interpreters of tools/build_python.sh.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
#: All versions that the package promises to run on; a "t" at the end: without the interpreter lock.
SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.14t")
#: What differs by version: annotations, code objects, exceptions, pickles, what `python -c` and notebooks do, threads.
SHORT = ("tests/leaf", "tests/errors", "tests/usage", "tests/map", "tests/parallel", "tests/threads")
PROGRAMS = "100"
#: The requirements of development that tests of the short suite need: others may have no wheel for a new version.
_NEEDED = ("cloudpickle", "psutil", "pytest", "pytest-timeout", "hypothesis", "networkx", "grandalf", "numpy")
_ASK = (
    "import json, sys, sysconfig; json.dump([sys.implementation.name, list(sys.version_info[:3]), "
    "bool(sysconfig.get_config_var('Py_GIL_DISABLED')), sysconfig.get_config_var('EXT_SUFFIX'), sys.base_prefix], "
    "sys.stdout)"
)


class Interpreter(NamedTuple):
    """One interpreter; ``name`` is its version as in `SUPPORTED`, ``suffix`` what its extension modules end with."""

    name: str
    path: str
    release: str
    suffix: str
    prefix: str


def ask(path: str) -> Interpreter | None:
    """Return what an interpreter says of itself, None if it does not start or is no CPython."""
    try:
        said = subprocess.run([path, "-c", _ASK], capture_output=True, text=True, timeout=60)
        implementation, version, is_free, suffix, prefix = json.loads(said.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if implementation != "cpython":
        return None
    release = ".".join(map(str, version)) + ("t" if is_free else "")
    name = f"{version[0]}.{version[1]}" + ("t" if is_free else "")
    return Interpreter(name, path, release, suffix, prefix)


def candidates(folder: Path) -> list[str]:
    """Return paths where interpreters may be, the ones to prefer first."""
    found = [str(path) for path in sorted(folder.glob("pythons/*/bin/python3"))]
    for versions in (os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")):
        if versions:
            found += [str(path) for path in sorted(Path(versions, "versions").glob("*/bin/python3"))]
    for name in SUPPORTED:
        on_path = shutil.which(f"python{name}")
        if on_path:
            found.append(on_path)
    return found


def interpreters(folder: Path) -> list[Interpreter]:
    """Return one interpreter of each supported version that there is; those that ``PYTHONS`` names, if it does."""
    named = os.environ.get("PYTHONS", "").split()
    found: dict[str, Interpreter] = {}
    for path in named or candidates(folder):
        interpreter = ask(path)
        if interpreter is None:
            if named:
                sys.exit(f"test-all: PYTHONS names {path}, which is no CPython that starts")
        elif named or interpreter.name in SUPPORTED:
            found.setdefault(interpreter.name, interpreter)
    order = {name: place for place, name in enumerate(SUPPORTED)}
    return sorted(found.values(), key=lambda one: order.get(one.name, len(order)))


def environment(interpreter: Interpreter, folder: Path) -> str:
    """Return the path of a Python with what the tests need, made if it was not there."""
    wanted = [
        line
        for line in (ROOT / "requirements" / "development.txt").read_text().splitlines()
        if re.split("[<>=;]", line)[0] in _NEEDED
    ]
    locked = ROOT / "requirements" / "locked.txt"
    # Another interpreter or other requirements have another environment.
    content = "\n".join([interpreter.prefix, interpreter.release, *wanted, locked.read_text()])
    place = folder / "environments" / f"{interpreter.release}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if not (place / "complete").exists():
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([interpreter.path, "-m", "venv", str(place)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "-c", str(locked), *wanted], check=True)
        (place / "complete").touch()
    # As an editable installation would: programs that tests start may have no PYTHONPATH.
    for packages in place.glob("lib/python*/site-packages"):
        (packages / "graflow_fast.pth").write_text(f"{ROOT / 'python'}\n")
    return str(python)


def build_extension(interpreter: Interpreter) -> None:
    """Build the extension module for an interpreter that can't load the one of `make setup` (abi3), as 3.14t can't."""
    if not interpreter.name.endswith("t"):
        return
    target = ROOT / "target" / interpreter.name
    profile = os.environ.get("PROFILE", "quick")
    cargo = ["cargo", "build", "--quiet", "--profile", profile, "--package", "graflow-fast-core"]
    cargo += ["--features", "pyo3/extension-module", "--target-dir", str(target)]
    subprocess.run(cargo, check=True, cwd=ROOT, env={**os.environ, "PYO3_PYTHON": interpreter.path})
    package = ROOT / "python" / "graflow_fast"
    shutil.copy2(target / profile / "lib_core.so", package / f"_core{interpreter.suffix}")


def test(interpreter: Interpreter, folder: Path) -> bool:
    """Run the short suite; say whether it passed."""
    python = environment(interpreter, folder)
    build_extension(interpreter)
    variables = {
        **os.environ,
        "GRAFLOW_FAST_PROGRAMS": os.environ.get("PROGRAMS", PROGRAMS),
        # An extension module of somebody else's could turn the lock on again, and nobody would know what was tested.
        **({"PYTHON_GIL": "0"} if interpreter.name.endswith("t") else {}),
    }
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfE", "--tb=short"]
    suite = [*(name for name in SHORT if (ROOT / name).exists()), "tests/meaning/test_meaning.py"]
    return subprocess.run([*pytest, *suite], cwd=ROOT, env=variables).returncode == 0


def main(folder: Path) -> int:
    """Test all interpreters but the one that ``make test`` has; return the exit code."""
    done = f"{sys.version_info[0]}.{sys.version_info[1]}"
    is_named = bool(os.environ.get("PYTHONS"))
    found = interpreters(folder)
    outcomes: dict[str, str] = {} if is_named else dict.fromkeys(SUPPORTED, "NOT THERE, not tested")
    for interpreter in found:
        if interpreter.name == done and not is_named:
            outcomes[done] = f"{interpreter.release}: the whole suite, by make test"
            continue
        print(f"\n== {interpreter.name}: {interpreter.release} at {interpreter.path}", flush=True)
        began = time.monotonic()
        try:
            passed = test(interpreter, folder)
        except subprocess.CalledProcessError as error:
            passed = False
            print(f"test-all: {error}", flush=True)
        said = "passed" if passed else "FAILED"
        outcomes[interpreter.name] = f"{interpreter.release}: the short suite {said} ({time.monotonic() - began:.0f} s)"
    print("\n== versions of Python")
    for name, outcome in outcomes.items():
        print(f"{name:6} {outcome}")
    if not found:
        print("test-all: no interpreter was found")
        return 1
    return 1 if any("FAILED" in outcome for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
