"""What a graflow program prints, graflow_fast prints: every program, on every executor.

The programs import `graflow`; the runner changes the imports, which is all that a user has to do.
`expected/<name>.out` was recorded from graflow 0.2.0 by record.py, but for the programs that say `differs:`; theirs
is written by hand from the contract, and `expected/<name>.graflow.out` is what graflow prints.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from headers import EXECUTORS, EXPECTED, HERE, executors, header, names

CHUNK = 20
CASES = [(executor, name) for executor in EXECUTORS for name in names() if executor in executors(name)]


class Results:
    """Outputs of programs, run some at a time when the first of them is asked for."""

    def __init__(self, selected, directory: Path):
        self.selected = selected
        self.directory = directory
        self.found: dict[tuple[str, str], dict] = {}

    def get(self, executor: str, name: str) -> dict:
        """What one program printed under one executor."""
        if (executor, name) not in self.found:
            wanted = self.selected[executor]
            start = wanted.index(name) // CHUNK * CHUNK
            self.run(executor, wanted[start : start + CHUNK])
        return self.found[executor, name]

    def run(self, executor: str, wanted: list[str]) -> None:
        """Run a chunk of programs in one subprocess, each forked from it."""
        out = self.directory / f"{executor}-{wanted[0]}.json"
        environment = dict(os.environ, GRAFLOW_FAST_EXECUTOR=executor)
        environment.pop("GRAFLOW_FAST_WORKERS", None)
        done = subprocess.run(
            [sys.executable, str(HERE / "runner.py"), "graflow_fast", str(out), *wanted],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if out.exists():
            results = json.loads(out.read_text(encoding="utf-8"))
        else:
            failed = {"stdout": done.stdout, "stderr": done.stderr, "code": done.returncode}
            results = dict.fromkeys(wanted, failed)
        self.found.update({(executor, name): results[name] for name in wanted})


@pytest.fixture(scope="session")
def results(request, tmp_path_factory):
    selected = {executor: [] for executor in EXECUTORS}
    for item in request.session.items:
        if item.path == Path(__file__) and hasattr(item, "callspec") and "executor" in item.callspec.params:
            selected[item.callspec.params["executor"]].append(item.callspec.params["name"])
    return Results(selected, tmp_path_factory.mktemp("compat"))


@pytest.mark.parametrize(("executor", "name"), CASES, ids=[f"{executor}-{name}" for executor, name in CASES])
def test_program(results, executor, name):
    result = results.get(executor, name)
    expected = (EXPECTED / f"{name}.out").read_text(encoding="utf-8")
    assert result["code"] == 0, f"{header(name)['title']}\n{result['stdout']}{result['stderr']}"
    assert result["stdout"] == expected, f"{header(name)['title']}\n{result['stderr']}"


def test_every_program_has_its_outputs():
    wanted = set()
    for name in names():
        wanted.add(f"{name}.out")
        if "differs" in header(name):
            wanted.add(f"{name}.graflow.out")
    assert {path.name for path in EXPECTED.iterdir()} == wanted


def test_differing_programs_differ():
    for name in names():
        if "differs" in header(name):
            ours, theirs = ((EXPECTED / f"{name}{end}").read_text(encoding="utf-8") for end in (".out", ".graflow.out"))
            assert ours != theirs, name


@pytest.mark.parametrize("name", [name for name in names() if len(executors(name)) < len(EXECUTORS)])
def test_left_out_executors_have_a_reason(name):
    assert "(" in header(name)["executors"]
