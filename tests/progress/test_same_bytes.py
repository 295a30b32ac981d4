"""A program prints the same whether it is shown or not: all programs of tests/compat, beside what they are to print."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMPAT = Path(__file__).parents[1] / "compat"
PARTS = 4


def loaded(name: str) -> Any:
    """A module of the folder of programs, which is on nobody's path here."""
    spec = importlib.util.spec_from_file_location(f"compat_{name}", COMPAT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HEADERS = loaded("headers")
PROGRAMS = [name for name in HEADERS.names() if "auto" in HEADERS.executors(name)]


@pytest.mark.parametrize("part", range(PARTS))
def test_what_is_printed_does_not_depend_on_being_shown(part: int, tmp_path: Path) -> None:
    names, out = PROGRAMS[part::PARTS], tmp_path / "out.json"
    environment = os.environ | {"GRAFLOW_FAST_EXECUTOR": "auto", "GRAFLOW_FAST_PROGRESS": "1"}
    environment.pop("GRAFLOW_FAST_WORKERS", None)
    command = [sys.executable, str(COMPAT / "runner.py"), "graflow_fast", str(out), *names]
    subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True)
    results = json.loads(out.read_text(encoding="utf-8"))
    expected = {name: (HEADERS.EXPECTED / f"{name}.out").read_text(encoding="utf-8") for name in names}
    assert {name: results[name]["stdout"] for name in names} == expected
    shown = [name for name in names if ": started, " in results[name]["stderr"]]
    assert len(shown) > len(names) / 2, "they were shown"
