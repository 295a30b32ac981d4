"""Run compatibility programs, each in a process of its own, and write what they printed as JSON.

Usage: python runner.py PACKAGE OUT NAME... with PACKAGE `graflow` or `graflow_fast`. Standard library only:
this file also runs under an interpreter that has `graflow` and nothing else.

Every program is forked from here, after the package has been imported, so that a hundred programs cost one
start-up and none of them sees what another one did.
"""

import atexit
import contextlib
import importlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import types
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
TIMEOUT = 60.0
IMPORT = re.compile(r"^(\s*(?:from|import)\s+)graflow\b", re.MULTILINE)


def load(name: str, package: str) -> str:
    """The source of a program, with the imports changed as a user would change them."""
    source = (PROGRAMS / f"{name}.py").read_text(encoding="utf-8")
    return IMPORT.sub(rf"\g<1>{package}", source)


def prepare(package: str) -> None:
    """Import what the programs import, and take the timing out of graflow when it is being recorded."""
    if package == "graflow":
        with contextlib.suppress(ImportError):
            import matplotlib.pyplot  # noqa: F401
        if "matplotlib" not in sys.modules:  # graflow.utils.graph imports it for one function that no program calls
            sys.modules["matplotlib"] = types.ModuleType("matplotlib")
            sys.modules["matplotlib.pyplot"] = types.ModuleType("matplotlib.pyplot")
            sys.modules["matplotlib"].pyplot = sys.modules["matplotlib.pyplot"]  # type: ignore[attr-defined]
    importlib.import_module(f"{package}.core.workflow")
    importlib.import_module(f"{package}.core.context")
    if package == "graflow" and not os.environ.get("COMPAT_LIVE"):
        # One of the orders that graflow's threads can have: members run and are merged in member order.
        import concurrent.futures
        import multiprocessing

        multiprocessing.cpu_count = lambda: 1  # type: ignore[assignment]

        def in_member_order(futures, timeout=None):
            futures = list(futures)
            concurrent.futures.wait(futures, timeout)
            return iter(futures)

        concurrent.futures.as_completed = in_member_order  # type: ignore[assignment]


def child(name: str, package: str, directory: Path) -> None:
    """Run one program as `__main__` in this (forked) process; never returns."""
    code = 1
    try:
        os.setsid()
        out = os.open(directory / f"{name}.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        err = os.open(directory / f"{name}.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        scratch = directory / f"{name}.cwd"
        scratch.mkdir()
        os.chdir(scratch)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
        path = PROGRAMS / f"{name}.py"
        source = load(name, package)
        module = types.ModuleType("__main__")
        module.__file__ = str(path)
        sys.modules["__main__"] = module
        sys.argv = [str(path)]
        try:
            exec(compile(source, str(path), "exec"), module.__dict__)
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            traceback.print_exc()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def run(package: str, names: list[str]) -> dict[str, dict[str, object]]:
    """Run the programs, a few at a time."""
    prepare(package)
    at_once = max(2, min(8, os.cpu_count() or 2))
    waiting, running, results = list(names), {}, {}
    directory = Path(tempfile.mkdtemp())  # not TemporaryDirectory: its exit function would run in every child
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                sys.stdout.flush()
                pid = os.fork()
                if pid == 0:
                    child(name, package, directory)
                running[pid] = (name, time.monotonic() + TIMEOUT)
            finished = []
            for pid, (name, deadline) in running.items():
                done, status = os.waitpid(pid, os.WNOHANG)
                note = ""
                if not done:
                    if time.monotonic() < deadline:
                        continue
                    os.killpg(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    status, note = 256, f"killed after {TIMEOUT:.0f} s\n"
                finished.append(pid)
                out, err = directory / f"{name}.out", directory / f"{name}.err"
                results[name] = {
                    "stdout": out.read_text(encoding="utf-8") if out.exists() else "",
                    "stderr": note + (err.read_text(encoding="utf-8") if err.exists() else ""),
                    "code": os.waitstatus_to_exitcode(status),
                }
            for pid in finished:
                del running[pid]
            if running and not finished:
                time.sleep(0.005)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return results


if __name__ == "__main__":
    results = run(sys.argv[1], sys.argv[3:])
    Path(sys.argv[2]).write_text(json.dumps(results), encoding="utf-8")
