"""What functions of the program name is what it has under the name by now: variables, functions, their attributes."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from graflow_fast import task, workflow

def run(function):
    with workflow("w") as wf:
        task("t")(function)
        task("other")(other)
    try:
        return wf.execute("t", executor=sys.argv[1], max_workers=1)
    except Exception as error:
        return type(error.__cause__).__name__

def other():
    return count, level()

def read():
    return count

def marked():
    return getattr(marked, "mark", None)

def calls():
    return getattr(level, "mark", None), level()

def level():
    return count


count = 1
seen = [run(read), run(calls), run(marked)]
marked.mark = level.mark = 5
seen += [run(marked), run(calls)]
marked.mark = level.mark = 6
seen += [run(marked), run(calls)]
del marked.mark, level.mark
seen += [run(marked), run(calls)]
del count
seen += [run(read), run(calls)]
count = 2
seen += [run(read), run(calls)]
print(seen)
"""


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
def test_it_is_what_it_is_by_now(executor, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program, executor], capture_output=True, text=True, timeout=60)
    expected = [1, (None, 1), None, 5, (5, 1), 6, (6, 1), None, (None, 1), "NameError", "NameError", 2, (None, 2)]
    assert (done.stdout, done.stderr) == (f"{expected}\n", "")
