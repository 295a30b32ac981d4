"""A first result waits for what workers import before their first task, so that must stay little."""

import subprocess
import sys

import pytest

HEAVY = [
    "cloudpickle",
    "collections",
    "contextlib",
    "copyreg",
    "dataclasses",
    "enum",
    "functools",
    "inspect",
    "logging",
    "pickle",
    "_pickle",
    "re",
    "signal",
    "struct",
    "threading",
    "traceback",
    "typing",
    "weakref",
    "zlib",
]

PROGRAM = """
import sys
sys.path[:] = {path!r}
import graflow_fast._worker.template
from graflow_fast._worker.main import preload
preload()
print(*sys.modules)
"""


def imported(program):
    """Return the modules that a bare interpreter has imported in the end."""
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def before_the_fork():
    return imported(PROGRAM.format(path=sys.path))


@pytest.mark.parametrize("module", HEAVY)
def test_the_template_forks_its_first_workers_without(module, before_the_fork):
    assert module not in before_the_fork


def test_the_template_has_imported_what_runs_plain_tasks(before_the_fork):
    assert {"graflow_fast._worker.loop", "graflow_fast._core", "graflow_fast._wire.functions"} <= before_the_fork


def test_the_package_imports_nothing_until_its_names_are_used():
    program = "import sys, graflow_fast; print(*sys.modules)"
    assert not {
        name for name in imported(f"import sys; sys.path[:] = {sys.path!r}; {program}") if "graflow_fast." in name
    }


@pytest.mark.parametrize("module", ["copy", "datetime", "enum", "inspect", "json", "logging", "pickle", "re", "typing"])
def test_defining_a_workflow_imports_little(module):
    program = "import sys; from graflow_fast import task, workflow, parallel, chain; print(*sys.modules)"
    assert module not in imported(f"import sys; sys.path[:] = {sys.path!r}; {program}")
