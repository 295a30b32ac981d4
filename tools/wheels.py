"""Build what is published (wheels for manylinux2014 and the sdist), and check it as those who install it meet it.

Owns the list of wheels, how each is built and what must hold of it. Knows nothing of the code. Run by ``make wheels``
in an environment that has requirements/release.txt: zig links against an old glibc, so it builds on any system.

Usage: python tools/wheels.py FOLDER          FOLDER: where tools/test_all.py finds and keeps interpreters, too
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from test_all import ROOT, Interpreter, interpreters

DIST = ROOT / "dist"
#: No wheel may be larger, in bytes.
LARGEST = 4 * 1024 * 1024
#: The processors, all or those that ``SYSTEMS`` names; a wheel for each and for each of the interpreters below.
SYSTEMS = os.environ.get("SYSTEMS", "").split() or ["x86_64", "aarch64"]
#: What maturin is told -> the tags of the wheel. One wheel serves all versions with the interpreter lock.
PYTHONS = {"python3.10": "cp310-abi3", "python3.14t": "cp314-cp314t"}


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Run a command, and return what it said; it ends the program, with all that it said, if it fails."""
    print("+", *command, flush=True)
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nwheels: this failed: {' '.join(map(str, command))}")
    return done.stdout


def tool(name: str) -> str:
    """Return the path of a tool that is installed beside the interpreter that runs this."""
    return str(Path(sys.executable).parent / name)


def standard_library(target: str) -> list[str]:
    """Return cargo's options that give a target its standard library; end the program if there is no way.

    ``rustup target add`` brings it; where that cannot be reached, it is built from its source, if that is there.
    """
    root = Path(run("rustc", "--print", "sysroot").strip()) / "lib" / "rustlib"
    if (root / target / "lib").exists():
        return []
    if (root / "src" / "rust" / "library").exists():
        return ["-Z", "build-std=std,panic_unwind"]
    sys.exit(
        f"wheels: rustc can't build for {target}: rustup target add {target}, or rustup component add rust-src; "
        "SYSTEMS=x86_64 builds the others"
    )


def build() -> list[Path]:
    """Build all wheels and the sdist anew; return the paths of the wheels."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(tool("maturin"), "sdist", "--out", DIST)
    here = {f"python{one.name}": one.path for one in FOUND}
    for system in SYSTEMS:
        target = f"{system}-unknown-linux-gnu"
        options = standard_library(target)
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        if options:
            environment["RUSTC_BOOTSTRAP"] = "1"
        for python in PYTHONS:
            command = ["build", "--release", "--strip", "--zig", "--compatibility", "manylinux2014", "--out", str(DIST)]
            # That of this machine, where there is one; maturin knows by heart what others are like.
            interpreter = here.get(python, python) if system == platform.machine() else python
            run(tool("maturin"), *command, "--target", target, "--interpreter", interpreter, *options, env=environment)
    return sorted(DIST.glob("*.whl"))


def check_file(wheel: Path) -> None:
    """Size, the systems that it asks for, and the interface of the interpreter that it uses."""
    size = wheel.stat().st_size
    if size > LARGEST:
        sys.exit(f"wheels: {wheel.name} has {size} bytes, more than {LARGEST}")
    said = run(tool("auditwheel"), "show", wheel)
    if "manylinux_2_17" not in said and "manylinux2014" not in said:
        sys.exit(f"{said}\nwheels: {wheel.name} does not run on all systems of manylinux2014")
    if "abi3" in wheel.name:
        run(tool("abi3audit"), "--strict", wheel)
    print(f"wheels: {wheel.name}: {size / 1e6:.2f} MB, audited", flush=True)


def without_rust(folder: Path) -> dict[str, str]:
    """Return variables of a machine that has no Rust and none of this folder's Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO", "RUST", "PYTHON"))}
    paths = [path for path in kept["PATH"].split(":") if not (Path(path) / "cargo").exists()]
    return {**kept, "PATH": ":".join(paths), "HOME": str(folder)}


def install_and_run(what: Path, interpreter: Interpreter, *, has_rust: bool = False) -> None:
    """Install a wheel or the sdist in an environment of its own, and run tools/smoke.py with it, elsewhere."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = dict(os.environ) if has_rust else without_rust(folder)
        python = folder / "environment" / "bin" / "python"
        run(interpreter.path, "-m", "venv", folder / "environment", env=environment, cwd=folder)
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", what, env=environment, cwd=folder)
        shutil.copy2(ROOT / "tools" / "smoke.py", folder)
        print(run(python, "smoke.py", env=environment, cwd=folder).strip(), flush=True)


def main() -> None:
    """Build and check everything."""
    wheels = build()
    if len(wheels) != len(SYSTEMS) * len(PYTHONS):
        sys.exit(f"wheels: there should be {len(SYSTEMS) * len(PYTHONS)}, not {[wheel.name for wheel in wheels]}")
    for wheel in wheels:
        check_file(wheel)
    with_lock = [one for one in FOUND if not one.name.endswith("t")]
    (abi3,) = DIST.glob(f"*-abi3-*{platform.machine()}.whl")
    for interpreter in {with_lock[0].name: with_lock[0], with_lock[-1].name: with_lock[-1]}.values():
        install_and_run(abi3, interpreter)
    (free,) = DIST.glob(f"*-cp314t-*{platform.machine()}.whl")
    for interpreter in FOUND:
        if interpreter.name == "3.14t":
            install_and_run(free, interpreter)
    (source,) = DIST.glob("*.tar.gz")
    install_and_run(source, with_lock[-1], has_rust=True)
    print("wheels: all built and checked: " + ", ".join(path.name for path in sorted(DIST.iterdir())))


FOUND = interpreters(Path(sys.argv[1])) if __name__ == "__main__" else []

if __name__ == "__main__":
    main()
