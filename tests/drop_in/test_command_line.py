"""``python -m graflow_fast`` and ``graflow-fast``: an unchanged program, as Python itself would run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from graflow_fast._commands.main import SUBCOMMANDS

ROOT = Path(__file__).parents[2]
PROGRAM = """\
import sys
import graflow
from graflow import task, workflow


class Choice:
    def __init__(self, words):
        self.words = words


with workflow("w", executor="process") as wf:

    @task
    def first():
        return Choice(sys.argv[1:])

    @task(inject_context=True)
    def second(ctx, first):
        if "fail" in first.words:
            raise ValueError("no")
        if "cancel" in first.words:
            ctx.cancel_workflow("stop")
        return first.words

    first >> second
    print(wf.execute(), graflow.__name__, __name__)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "shop.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["shop.py", "a", "--b"],
        ["run", "shop.py", "a", "--b"],
        ["run", "shop.py", "--", "a", "--b"],
        ["-m", "shop", "a", "--b"],
        ["run", "-m", "shop", "a", "--b"],
    ],
    ids=" ".join,
)
def test_a_program_and_its_arguments(run, program: Path, words: list[str]) -> None:
    done = run("-m", "graflow_fast", *words)
    assert (done.stdout, done.stderr) == ("['a', '--b'] graflow_fast __main__\n", "")
    assert done.returncode == 0


def test_code_and_standard_input(run) -> None:
    code = "import graflow, sys; print(graflow.__name__, sys.argv); sys.exit(7)"
    done = run("-m", "graflow_fast", "-c", code, "-x")
    assert (done.stdout, done.returncode) == ("graflow_fast ['-c', '-x']\n", 7)
    done = run("-m", "graflow_fast", "-", "-x", stdin=code)
    assert (done.stdout, done.returncode) == ("graflow_fast ['-', '-x']\n", 7)


def test_the_program_finds_what_stands_beside_it(run, tmp_path: Path) -> None:
    """Its folder is on the search path, and its main module stays until the end, as with Python itself."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "beside.py").write_text("name = 'beside'")
    (tmp_path / "inner" / "program.py").write_text(
        "import atexit, os, sys, beside\n"
        "here = os.path.basename(__file__)\n"
        "atexit.register(lambda: print(here, sys.modules['__main__'].here, beside.name))\n"
    )
    done = run("-m", "graflow_fast", "inner/program.py")
    assert (done.stdout, done.stderr) == ("program.py program.py beside\n", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["shop.py", "fail"], 1, "in task 'second'"),
        (["shop.py", "cancel"], 3, "GraflowWorkflowCanceledError: stop"),
        (["absent.py"], 2, "graflow-fast: can't open 'absent.py': No such file or directory"),
        (["-m", "absent"], 2, "graflow-fast: no module named 'absent'"),
        (["run"], 2, "name a program: a file, -m MODULE or -c CODE"),
        ([], 2, "usage: graflow-fast"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_codes(run, program: Path, words: list[str], code: int, said: str) -> None:
    done = run("-m", "graflow_fast", *words)
    assert said in done.stderr
    assert done.returncode == code


def test_a_traceback_begins_in_the_program(run, program: Path) -> None:
    """It has none of the lines of the command."""
    done = run("-m", "graflow_fast", "shop.py", "fail")
    assert f'  File "{program}", line 26, in <module>' in done.stderr
    assert "_commands" not in done.stderr


def test_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(
        "import threading\nfrom graflow import task, workflow\n"
        "with workflow('w', executor='process') as wf:\n"
        "    @task\n    def waits():\n        print('running', flush=True)\n        threading.Event().wait()\n"
        "    wf.execute(output='live')\n"
    )
    command = [sys.executable, "-m", "graflow_fast", "waits.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "running\n"
        started.send_signal(signal.SIGINT)
        _, errors = started.communicate(timeout=30)
    assert started.returncode == 130
    assert "KeyboardInterrupt" in errors


def test_help_and_version(run) -> None:
    from graflow_fast import __version__

    done = run("-m", "graflow_fast", "--help")
    assert all(f"\n    {name} " in done.stdout for name in SUBCOMMANDS)
    assert run("-m", "graflow_fast", "--version").stdout == f"graflow_fast {__version__}\n"


def test_help_imports_no_engine(run) -> None:
    """Its start-up is Python's and argparse's, whatever subcommands there are."""
    code = """
import sys
from graflow_fast._commands.main import main
try:
    main(["--help"])
except SystemExit:
    print(sorted(name for name in sys.modules if name.startswith("graflow_fast")))
"""
    assert run("-c", code).stdout.endswith(
        "['graflow_fast', 'graflow_fast._commands', 'graflow_fast._commands.main']\n"
    )


def test_each_subcommand_is_a_file() -> None:
    for name in SUBCOMMANDS:
        command = import_module(f"graflow_fast._commands.{name.replace('-', '_')}")
        assert command.__doc__
        assert callable(command.add_arguments)
        assert callable(command.call)


def test_the_command_is_declared() -> None:
    """pip makes ``graflow-fast`` of it."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'graflow-fast = "graflow_fast._commands.main:main"' in text
    assert os.path.exists(ROOT / "python" / "graflow_fast" / "_commands" / "main.py")
