"""The documentation page `page.md`, word for word: each branch of each of its examples, as a script."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent / "page.md").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CODE = [text for language, text in FENCED if language == "python"]
OUTPUT = [text for language, text in FENCED if language == ""]

IMPORTS = """\
import random

from graflow_fast.core.context import TaskExecutionContext
from graflow_fast.core.decorators import task
from graflow_fast.core.workflow import workflow


class CriticalError(Exception):
    pass


def train_step(accuracy):
    return {0.5: 0.65, 0.65: 0.78, 0.78: 0.88, 0.88: 0.96}[accuracy]


def get_from_cache(key):
    return CACHE.get(key)


CACHE = {}
"""

LUCK = "class random:\n    random = staticmethod(lambda: {})\n"

RUNS = {
    "error_handling, no error": (0, LUCK.format(0.3), "Operation succeeded\nContinuing normal flow\n"),
    "error_handling, error": (0, LUCK.format(0.29), "Emergency handler activated!\n"),
    "enqueue_demo": (1, "", OUTPUT[0]),
    "optimization": (2, "", OUTPUT[1]),
    "caching, hit": (3, "CACHE = {'my_key': 'found'}\n", "Cache hit: found\n"),
    "caching, miss": (3, "", "Cache miss, proceeding...\nExpensive processing...\n"),
    "validation, invalid": (4, "", "Workflow canceled: Data validation failed\n"),
    "validation, valid": (4, "", "Processing data...\n"),
}


def test_the_page_has_five_examples_and_two_outputs():
    assert len(CODE) == 5
    assert len(OUTPUT) == 2
    assert OUTPUT[0] == "Main processing\nExtra logging task\nNormal continuation\n"
    assert OUTPUT[1].splitlines()[-2:] == ["Iteration 3: accuracy=0.96", "Converged!"]


@pytest.mark.parametrize("executor", ["auto", "inline", "thread", "process"])
@pytest.mark.parametrize("run", RUNS)
def test_example(tmp_path, run, executor):
    number, setting, expected = RUNS[run]
    code = CODE[number]
    if run == "validation, valid":
        assert code.count('{"valid": False}') == 1
        code = code.replace('{"valid": False}', '{"valid": True}')
    script = tmp_path / "example.py"
    script.write_text(IMPORTS + setting + code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        env=dict(os.environ, GRAFLOW_FAST_EXECUTOR=executor),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == expected, done.stderr
