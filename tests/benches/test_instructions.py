"""Instructions per transition (S1) and per member (S3, S4), counted by callgrind: lost speed is seen on any machine.

A bound is what was measured, and about 15 % for compilers and C libraries. Lower it when the code got faster. Raise it
only with a reason that is worth the time.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import counted
import pytest

#: S1: a step of a chain, a leaf member of a group with 1024 in flight.
TRANSITIONS = {"chain": 1_280, "group": 3_340}
#: A no-op member (S3), and one that uses the channel and enqueues a task, that task included (S4): in the coordinator
#: (execute, not building) and in the worker.
#: Bounds of the one engine, counted without link-time optimisation. Before, with a way of their own for plain members:
#: 11 900 and 32 700, 2 360 and 26 000. In the worker 240 are for asking whether a body wrote to its pipes, by one
#: system call instead of two.
COORDINATOR = {"noop": 14_000, "busy": 37_500}
WORKER = {"noop": 4_600, "busy": 30_000}

ROOT = Path(__file__).resolve().parents[2]
_CALLGRIND = ("valgrind", "--quiet", "--tool=callgrind")

pytestmark = pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
of_this_python = pytest.mark.skipif(
    platform.python_implementation() != "CPython" or sys.version_info[:2] != (3, 11),
    reason="the bounds are CPython 3.11's; other versions take more or fewer instructions",
)


def total(path: Path) -> int:
    for line in path.read_text().splitlines():
        if line.startswith("totals:"):
            return int(line.split()[1])
    raise AssertionError(f"callgrind wrote no total into {path.name}")


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def scheduler() -> str:
    """The scheduler's example program, built."""
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    run("cargo", "build", "--release", "--quiet", "-p", "graflow-scheduler", "--example", "counted")
    return str(ROOT / "target/release/examples/counted")


@pytest.mark.parametrize("shape", TRANSITIONS)
def test_s1_instructions_per_transition(shape: str, scheduler: str, tmp_path: Path) -> None:
    each: list[float] = []
    for nodes in (5_000, 50_000):
        out = tmp_path / str(nodes)
        only_drain = ("--collect-atstart=no", "--toggle-collect=counted::drain*")
        done = run(*_CALLGRIND, f"--callgrind-out-file={out}", *only_drain, scheduler, shape, str(nodes))
        assert int(done) >= nodes
        each.append(total(out) / int(done))
    assert max(each) <= TRANSITIONS[shape], f"{each[0]:.0f} and {each[1]:.0f} instructions a transition"
    assert each[1] <= 1.05 * each[0], f"not flat: {each[0]:.0f} at 5 000 nodes, {each[1]:.0f} at 50 000"


def per_member(out: Path, small: int, large: int) -> float:
    """The difference of two dumps, by the difference of the groups' sizes."""
    few, many = (total(out.with_name(f"{out.name}.{number}")) for number in (small, large))
    return (many - few) / (counted.LARGE - counted.SMALL)


@of_this_python
@pytest.mark.parametrize("members", COORDINATOR)
def test_instructions_per_member_in_the_coordinator(members: str, tmp_path: Path) -> None:
    out = tmp_path / "coordinator"
    callgrind = (*_CALLGRIND, "--dump-before=getpgid", f"--callgrind-out-file={out}")
    run(*callgrind, sys.executable, counted.__file__, members, "coordinator")
    each = per_member(out, 2, 4)
    assert each <= COORDINATOR[members], f"{each:.0f} instructions a member"


@of_this_python
@pytest.mark.parametrize("members", WORKER)
def test_instructions_per_member_in_the_worker(members: str, tmp_path: Path) -> None:
    out = tmp_path / "worker"
    callgrind = (*_CALLGRIND, "--dump-before=getpgid", f"--callgrind-out-file={out}")
    run(sys.executable, counted.__file__, members, "worker", *callgrind)
    each = per_member(out, 2, 3)
    assert each <= WORKER[members], f"{each:.0f} instructions a member"
