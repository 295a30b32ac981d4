"""A run that is shown on a real terminal: its block, and the prints in between."""

import re
import subprocess
import sys

import pytest
from terminal import Terminal

from graflow_fast import workflow
from graflow_fast.exceptions import ConfigError

_PROGRAM = """
import sys, time
from graflow_fast import task, workflow
with workflow("census") as wf:
    @task(inject_context=True)
    def first(ctx):
        print("one line")
        for step in range(10):
            ctx.progress(step, 10, "epoch")
            time.sleep(0.1)
    @task
    def second():
        print("par", end="", flush=True)
        time.sleep(0.5)
        print("tial")
        sys.stderr.write("an error\\n")
    @task
    def third():
        time.sleep(0.3)
        {ending}
    first >> second >> third
    wf.execute(progress={progress!r}, executor={executor!r})
print("after")
"""
_PRINTS = ["one line", "partial", "an error"]


def _program(executor: str = "inline", ending: str = "pass", progress: object = True) -> str:
    return _PROGRAM.format(executor=executor, ending=ending, progress=progress)


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_prints_stay_and_the_block_leaves_nothing_but_its_end(executor: str) -> None:
    terminal = Terminal(_program(executor))
    block = terminal.wait_until(lambda text: "census" in text and "0/3" in text)
    assert "running" in block
    terminal.wait_until(lambda text: "/10 epoch" in text)
    assert terminal.finish() == 0
    *prints, last, after = terminal.screen.text().split("\n")
    assert sorted(prints) == sorted(_PRINTS)
    assert (last.startswith("✓ census: 3 tasks in "), after) == (True, "after")


def test_a_line_that_is_begun_is_left_alone_until_it_ends() -> None:
    terminal = Terminal(_program())
    assert terminal.finish() == 0
    begun = terminal.written.index("par")
    assert terminal.written[begun:].startswith("partial\r\n")


def test_a_failed_run_says_what_failed_and_where() -> None:
    terminal = Terminal(_program(ending="raise ValueError('bad header')"))
    assert terminal.finish() == 1
    text = terminal.screen.text()
    assert "✗ census: 1 of 3 failed after " in text
    assert "  third: ValueError: bad header   <string>:" in text


def test_an_interrupted_run_leaves_a_clean_line() -> None:
    terminal = Terminal(_program(ending="time.sleep(60)"))
    terminal.wait_until(lambda text: "2/3" in text)
    terminal.interrupt()
    terminal.finish()
    lines = terminal.screen.text().split("\n")
    assert [line for line in lines if "━" in line or "─" in line] == []
    assert any(line.startswith("✗ census: interrupted after ") for line in lines)
    assert lines[-1].startswith("KeyboardInterrupt")


def test_a_terminal_that_gets_narrow_has_one_line_and_is_never_filled_to_the_edge() -> None:
    terminal = Terminal(_program())
    terminal.wait_until(lambda text: "━" in text or "─" in text)
    terminal.resize(30, 5)
    terminal.wait_until(lambda text: re.search(r"^census \d+% \d/3 0:0\d$", text, re.MULTILINE) is not None)
    assert terminal.finish() == 0
    assert terminal.screen.broken == 0


_HELD = """
import ctypes, sys, threading
from graflow_fast import task, workflow
with workflow("held") as wf:
    @task
    def computes():
        ctypes.PyDLL(None).usleep({microseconds})  # C code that doesn't let go of the interpreter
    @task
    def asks():
        print("you said", input("name? "))
    computes >> asks
    wf.execute(progress=True, executor="inline")
"""


def test_the_clock_goes_on_while_c_code_holds_the_interpreter_and_input_is_asked_for_on_a_clean_line() -> None:
    terminal = Terminal(_HELD.format(microseconds=4_500_000))
    terminal.wait_until(lambda text: text.rstrip("\n").split("\n")[-1].startswith("name?"))
    clocks = {clock for text in terminal.seen for clock in re.findall(r"^held .* (0:0\d)", text, re.MULTILINE)}
    assert len(clocks) >= 4, clocks
    terminal.write("Ann\n")
    assert terminal.finish() == 0
    name, said, last = terminal.screen.text().split("\n")
    assert (name, said) == ("name? Ann", "you said Ann")
    assert last.startswith("✓ held: 2 tasks in ")


def test_whatever_is_printed_arrives_once_and_in_order() -> None:
    """Beginnings of lines, tabs, wide letters, sequences that colour or clear, and lines longer than the terminal."""
    texts = ["a", "b\tc\n", "日本 😀 é\n", "\x1b[31mred\x1b[0m\n", "x" * 500 + "\n", "\x1b[2J\n", "50%\r100%\n", "end"]
    program = (
        "import sys, time\nfrom graflow_fast import task, workflow\n"
        f"with workflow('says') as wf:\n    @task\n    def says():\n        for text in {texts!r}:\n"
        "            time.sleep(0.12); print(text, end='', flush=True)\n"
        "    wf.execute(progress=True, executor='inline')\n"
    )
    terminal = Terminal(program, feeds=False)
    assert terminal.finish() == 0
    at = 0
    for text in texts:
        at = terminal.written.index(text.replace("\n", "\r\n"), at) + len(text)
    for text in texts[2:6]:
        assert terminal.written.count(text.replace("\n", "")) == 1


def test_logs_get_lines_without_control_characters_and_output_is_the_same() -> None:
    shown = subprocess.run([sys.executable, "-c", _program(progress=True)], capture_output=True, text=True, check=True)
    silent = subprocess.run(
        [sys.executable, "-c", _program(progress=False)], capture_output=True, text=True, check=True
    )
    assert shown.stdout == silent.stdout
    first, own, last = shown.stderr.splitlines()
    assert first.startswith("census: started, pid ")
    assert (own, silent.stderr) == ("an error", "an error\n")
    assert "census: 3 tasks in " in last
    assert not {"\r", "\x1b"} & set(shown.stderr)


def test_the_environment_has_the_last_word(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    from graflow_fast import task

    for variable, wish, is_shown in [("plain", False, True), ("0", True, False), ("off", "plain", False)]:
        monkeypatch.setenv("GRAFLOW_FAST_PROGRESS", variable)
        with workflow("small") as wf:
            task(lambda: 1, id="one")
            wf.execute(progress=wish, executor="inline")
        assert ("small: 1 task in " in capfd.readouterr().err) is is_shown


def test_a_run_within_a_run_is_part_of_it(capfd: pytest.CaptureFixture[str]) -> None:
    from graflow_fast import task

    with workflow("inner") as inner:
        task(lambda: 1, id="one")
    with workflow("outer") as wf:
        task(lambda: inner.execute(progress=True, executor="inline"), id="call")
        assert wf.execute(progress=True, executor="inline") == 1
    said = capfd.readouterr().err
    assert "outer: 1 task in " in said
    assert "inner" not in said


def test_the_command_line_shows_runs_on_a_terminal() -> None:
    terminal = Terminal(
        f"import sys\nfrom graflow_fast._commands.main import main\nsys.exit(main(['-c', {_program(progress=None)!r}]))"
    )
    assert terminal.finish() == 0
    assert "✓ census: 3 tasks in " in terminal.screen.text()


def test_an_unknown_wish_is_refused() -> None:
    with workflow("small") as wf, pytest.raises(ConfigError, match="progress='bar' must be"):
        wf.execute(progress="bar")
