"""docs/errors.md is what the programs of docs/errors show, and has every public error and warning."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from graflow_fast import exceptions

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "errors.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    specification = importlib.util.spec_from_file_location("generate_errors", DOCS / "generate_errors.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_page_is_current(generator: ModuleType) -> None:
    """Under the Python that the page names; others word some of their own errors differently."""
    (version,) = re.findall(r"with Python (\d+\.\d+)", PAGE)
    if sys.version_info[:2] != tuple(map(int, version.split("."))):
        pytest.skip(f"the page shows Python {version}")
    assert generator.page() == PAGE, "run: make docs"


def test_every_error_is_on_the_page() -> None:
    """Whoever adds an error shows it."""
    assert [name for name in exceptions.__all__ if name[0].isupper() and name not in PAGE] == []


def test_neutral_keeps_what_matters(generator: ModuleType) -> None:
    """Paths, addresses and sizes are replaced, the user's own lines and numbers are not."""
    package = generator.PACKAGE
    text = (
        f'  File "{package}/core/task.py", line 12, in run\n    x.run()\n    ^^^^^^^\n'
        '  File "/tmp/d/program.py", line 7, in load\nat 0x7f00aabbccdd it peaked at 31 MB. Waited 0.2 s for 3 tasks\n'
    )
    assert generator.neutral(text, "/tmp/d") == (
        '  File "graflow_fast/core/task.py", line ..., in run\n    x.run()\n'
        '  File "program.py", line 7, in load\nat 0x... it peaked at ... MB. Waited 0.2 s for 3 tasks\n'
    )


def test_every_section_has_programs(generator: ModuleType) -> None:
    """A heading without an example would be empty."""
    kinds = {path.stem.partition("_")[0] for path in generator.PROGRAMS.glob("*.py")}
    assert kinds == set(generator.SECTIONS)
