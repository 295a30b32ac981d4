"""In a sub-interpreter the package is one error that says what to do; the main interpreter beside it can use it."""

import os
import subprocess
import sys

import pytest

#: Runs a program in a sub-interpreter, then the same in the main one.
PROGRAM = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import sys

PART = '''
import sys
try:
    {use}
except ImportError as error:
    print("refused:", error)
else:
    print("used")
'''
made = interpreters.create()
run = getattr(interpreters, "exec", None) or interpreters.run_string
if sys.version_info >= (3, 14):
    from concurrent.interpreters import create
    create().exec(PART)
else:
    run(made, PART)
exec(PART)
"""


@pytest.mark.parametrize(
    "use", ["from graflow_fast import task", "import graflow_fast.core.workflow"], ids=["the package", "a module"]
)
def test_a_sub_interpreter_is_told(use):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{use}", use)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ,
    )
    refused, used = done.stdout.splitlines()
    assert refused == (
        "refused: graflow_fast can't be used in a sub-interpreter, since its compiled part has one state for the whole "
        "process: use it in the main one (mod_wsgi: WSGIApplicationGroup %{GLOBAL})"
    )
    assert used == "used", done.stderr
