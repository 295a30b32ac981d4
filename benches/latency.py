"""Owns rows S10 and S11: one task there and back, import time, and the first result from a cold pool."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time

from contest import Entry, Goal, Row

COLD = {
    "graflow_fast": """
import graflow_fast, time
def double(item): return item * 2
task = graflow_fast.task(double)
with graflow_fast.workflow("cold") as flow:
    task(task_id="only", item=21)
started = time.perf_counter()
answer = flow.execute(executor="process", max_workers=2)
""",
    "pool": """
import multiprocessing, time
def double(item): return item * 2
started = time.perf_counter()
pool = multiprocessing.get_context("fork").Pool(2)
answer = pool.apply(double, (21,))
""",
    "executor": """
from concurrent.futures import ProcessPoolExecutor
import time
def double(item): return item * 2
started = time.perf_counter()
pool = ProcessPoolExecutor(2)
answer = pool.submit(double, 21).result()
""",
    "floor": """
import os, socket, subprocess, sys, time
def double(item): return item * 2
started = time.perf_counter()
here, there = socket.socketpair()
code = "import os; os.fork() or (lambda n: os.write(n, bytes([2 * os.read(n, 1)[0]])))(" + str(there.fileno()) + ")"
os.set_inheritable(there.fileno(), True)
child = os.posix_spawn(sys.executable, [sys.executable, "-S", "-E", "-c", code], os.environ)
here.send(bytes([21]))
answer = here.recv(1)[0]
""",
    "loky": """
import loky, time
def double(item): return item * 2
started = time.perf_counter()
pool = loky.get_reusable_executor(max_workers=2)
answer = pool.submit(double, 21).result()
""",
    "pebble": """
from pebble import ProcessPool
import time
def double(item): return item * 2
started = time.perf_counter()
pool = ProcessPool(max_workers=2)
answer = pool.schedule(double, args=[21]).result()
""",
}
_REPORT = """
seconds = time.perf_counter() - started
assert answer == 42, answer
import os
os.write(1, repr(seconds).encode())
"""


def _fresh(program: str) -> str:
    """Run a program in a fresh interpreter; what it wrote, or its last line of complaint as the error.

    With compiled bytecode, as programs are installed: what is not compiled yet is, in the run that warms up.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False, env=environment
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeError(lines[-1] if lines else f"exit {done.returncode}")
    return done.stdout


class Import:
    """Wall time of a fresh interpreter that imports `module` (and names), less one that doesn't: ms."""

    def __init__(self, module: str, names: str = "") -> None:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named '{module}'")
        self._program = f"from {module} import {names}" if names else f"import {module}"
        _fresh(self._program)

    def run(self, size: int) -> float:
        bare = with_import = 0.0
        for _ in range(size):
            started = time.perf_counter()
            _fresh("pass")
            between = time.perf_counter()
            _fresh(self._program)
            bare += between - started
            with_import += time.perf_counter() - between
        return (with_import - bare) / size * 1000

    def close(self) -> None:
        """Nothing to close."""


class Cold:
    """From nothing but the imports to the first result, each time in a fresh interpreter: ms."""

    def __init__(self, what: str) -> None:
        self._program = COLD[what] + _REPORT
        _fresh(self._program)

    def run(self, size: int) -> float:
        return sum(float(_fresh(self._program)) for _ in range(size)) / size * 1000

    def close(self) -> None:
        """Nothing to close."""


def s10(quick: bool) -> Row:
    """One lone no-op there and back, nothing else in flight."""
    calls, lone = (5_000, 300) if quick else (50_000, 2_000)
    ours, pipe, peer = "graflow_fast, a step in the pool between two inline", "bare pipes", "peers:PeerTasks"
    heavy = [
        Entry("Ray", peer, 500, {"peer": "ray", "verb": "lone"}, heavy=True, runs=3),
        Entry("Dask distributed", peer, 100, {"peer": "dask", "verb": "lone"}, heavy=True, runs=3),
    ]
    return Row(
        key="S10",
        work="one lone no-op there and back",
        unit="µs",
        entries=[
            Entry(ours, "engines:Alternating", lone),
            Entry(pipe, "limits:PingPong", calls, {"kind": "pipe"}),
            Entry("bare socket pair", "limits:PingPong", calls, {"kind": "socket"}),
            Entry("the limit, 1 call a frame", "limits:Limit", calls, {"per_frame": 1}),
            Entry("graflow_fast, a whole execute()", "engines:LoneRun", lone // 4, {"executor": "process"}),
            *[
                Entry(label, peer, lone, {"peer": name, "verb": "lone"})
                for label, name in [
                    ("multiprocessing.Pool.apply", "pool"),
                    ("ProcessPoolExecutor.submit().result()", "executor"),
                    ("loky submit().result()", "loky"),
                    ("pebble schedule().result()", "pebble"),
                ]
            ],
            *([] if quick else heavy),
        ],
        goals=[Goal("≤ 1.5 × bare pipes", ours, 1.5, against=pipe)],
        note="Ours contains the inline step before it, and its own arguments and result.",
    )


def s11a(quick: bool) -> Row:
    """Import time over bare Python."""
    modules = ["graflow", "joblib", "loky", "pebble", "mpire", *([] if quick else ["distributed", "ray"])]
    runs = 1 if quick else 3
    ours = "graflow_fast"
    return Row(
        key="S11a",
        work="`import graflow_fast` over bare Python",
        unit="ms",
        entries=[
            Entry(ours, "latency:Import", 2 * runs, {"module": "graflow_fast", "names": "task, workflow"}, warm=1),
            *[Entry(module, "latency:Import", 1, {"module": module}, warm=0, runs=runs) for module in modules],
        ],
        goals=[Goal("≤ 20 ms", ours, 20)],
        runs=3 if quick else 5,
        note="Ours with `task` and `workflow`: the package imports what its names need when they are first asked for.",
    )


def s11b(quick: bool) -> Row:
    """First result from a cold pool."""
    ours, pool = "graflow_fast", "multiprocessing.Pool (fork)"
    times = 1 if quick else 3
    floor = "a bare interpreter that forks and answers"
    labels = {"pool": pool, "floor": floor, "executor": "ProcessPoolExecutor", "loky": "loky", "pebble": "pebble"}
    return Row(
        key="S11b",
        work="first result from a cold pool, imports aside",
        unit="ms",
        entries=[
            Entry(ours, "latency:Cold", times, {"what": "graflow_fast"}, warm=0),
            *[Entry(label, "latency:Cold", times, {"what": what}, warm=0) for what, label in labels.items()],
        ],
        goals=[Goal("≤ 1.3 × a forked Pool's", ours, 1.3, against=pool)],
        runs=3 if quick else 5,
        note="A forked pool copies the running program. Workers here come from an interpreter of their own; the line "
        "with the bare one is what that costs without any import or protocol.",
    )


ROWS = {"S10": s10, "S11a": s11a, "S11b": s11b}
