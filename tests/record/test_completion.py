"""What shells complete of the command, in the shells that are here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graflow_fast._commands.main import SUBCOMMANDS, main

COMPLETED = """
source {file}
COMP_WORDS=(graflow-fast {words} "")
COMP_CWORD={last}
COMP_WORDS[$COMP_CWORD]="{begun}"
_shtab_graflow_fast
echo "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    line = [sys.executable, "-m", "graflow_fast", "completion", "bash"]
    path = tmp_path_factory.mktemp("completion") / "bash"
    path.write_text(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash is here")
@pytest.mark.parametrize(
    ("words", "begun", "expected"),
    [
        ("", "", set(SUBCOMMANDS)),
        ("", "st", {"stacks"}),
        ("report", "--", {"--help", "--store", "--output", "--max-mb"}),
        ("completion", "", {"bash", "zsh", "tcsh"}),
    ],
)
def test_bash_completes_subcommands_and_their_options(file: Path, words: str, begun: str, expected: set[str]) -> None:
    program = COMPLETED.format(file=file, words=words, begun=begun, last=1 + len(words.split()))
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert expected <= set(done.stdout.split()) <= expected | {"-h", "--help", "-V", "--version", "-o"}, done.stderr


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_theirs(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "what-if" in capsys.readouterr().out


def test_without_shtab_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'graflow-fast[completion]'" in capsys.readouterr().err
