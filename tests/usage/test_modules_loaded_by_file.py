"""Modules that the program has and workers can't import: plug-ins loaded by file, made modules, test files."""

from __future__ import annotations

import importlib.util
import runpy
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import Executor, parallel, task, workflow

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])

SOURCE = """
import dataclasses

from graflow_fast import task, workflow

FACTOR = 5


@dataclasses.dataclass
class Row:
    number: int


class Odd(ValueError):
    def __init__(self, row):
        super().__init__(f"odd {row.number}")
        self.row = row


def scaled(number):
    return Row(number * FACTOR)


@task
def doubled(row):
    if row.number % 2:
        raise Odd(row)
    return Row(2 * row.number)


def run(executor):
    with workflow("of a module") as wf:
        made = task("made")(scaled).map([1, 2, 4])

        @task
        def look(rows):
            return [(type(row).__name__, str(row), isinstance(row, (Row, Odd))) for row in rows]

        made >> doubled.map(on_error="keep") >> look
        return wf.execute(executor=executor, max_workers=1)


RESULT = run(EXECUTOR) if "EXECUTOR" in globals() else None
"""

EXPECTED = [("Odd", "odd 5", True), ("Row", "Row(number=20)", True), ("Row", "Row(number=40)", True)]

Load = Callable[[], Any]


def by_file(name: str, file: Path) -> Any:
    """What programs do with plug-ins."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def made(name: str, file: Path) -> Any:
    """A module without a file."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(file.read_text(), vars(module))
    return module


@pytest.fixture(params=["by file", "made", "part of a package", "under the name of another"])
def module(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that is in `sys.modules`, but not where a worker would look for it."""
    file = tmp_path / "file.py"
    file.write_text(SOURCE)
    before = set(sys.modules)
    name = f"loaded_{request.node.callspec.indices['module']}"
    if request.param == "part of a package":
        package = types.ModuleType(name)
        package.__path__ = []  # type: ignore[attr-defined]
        sys.modules[name] = package
        name += ".part"
    if request.param == "under the name of another":
        (tmp_path / "others").mkdir()
        (tmp_path / "others" / f"{name}.py").write_text("run = None\n")
        monkeypatch.syspath_prepend(tmp_path / "others")
    yield (made if request.param == "made" else by_file)(name, file)
    for name in set(sys.modules) - before:
        if name.startswith("loaded_"):
            del sys.modules[name]


@EXECUTORS
def test_a_module_runs_a_workflow(module, executor):
    assert module.run(executor) == EXPECTED


@EXECUTORS
def test_its_values_are_arguments_of_other_modules_tasks(module, executor):
    with workflow("of others") as wf:

        @task(inject_context=True)
        def look(ctx, row):
            ctx.get_channel().set("row", row)
            return type(row).__name__, row

        @task
        def compare(first, row):
            return first[0], type(first[1]) is type(row), first[1] == row

        parallel(look(task_id="first", row=module.Row(3)), look(task_id="second", row=module.Row(4))) >> compare
        result, context = wf.execute(executor=executor, max_workers=1, ret_context=True)
    assert result == ("Row", True, False)
    assert type(context.get_result("first")[1]) is module.Row


def test_calls_take_its_functions_and_values(module):
    with Executor(max_workers=1) as pool:
        assert pool.submit(module.scaled, 3).result() == module.Row(15)
        assert pool.submit(repr, module.Row(3)).result() == "Row(number=3)"


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_module_that_has_another_name_beside_its_own(module, executor, monkeypatch):
    monkeypatch.setitem(sys.modules, "loaded_alias", module)

    @task
    def look():
        return module.scaled(3)

    with workflow("alias") as wf:
        look
    assert wf.execute(executor=executor, max_workers=1) == module.Row(15)


@EXECUTORS
def test_a_file_that_is_run_by_path(tmp_path, executor):
    file = tmp_path / "file.py"
    file.write_text(SOURCE)
    assert runpy.run_path(str(file), {"EXECUTOR": executor})["RESULT"] == EXPECTED


def test_pytest_that_imports_by_file(tmp_path):
    (tmp_path / "test_it.py").write_text(
        SOURCE + f"\n\ndef test_it():\n    assert run('process') == run('inline') == {EXPECTED}\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider", str(tmp_path)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/")
    assert finished.returncode == 0, finished.stdout
