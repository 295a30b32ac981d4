"""What a body prints and what others print for it (subprocesses, C code, `os.write`) comes in the order it was said."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast._places.process import live_output

SPEAKERS: dict[str, Callable[[str], Any]] = {
    "subprocess": lambda text: subprocess.run(["echo", text], check=True),
    "shell": lambda text: os.system(f"echo {text}"),
    "os.write": lambda text: os.write(1, f"{text}\n".encode()),
    "C code": lambda text: ctypes.CDLL(None).puts(text.encode()),
}

PROGRAM = """
import sys
sys.path[:0] = {path!r}
from test_output_order import shape
shape({shape!r}, {speaker!r}, {executor!r})
"""


def shape(name: str, speaker: str, executor: str) -> None:
    """Run a workflow whose bodies print, let somebody else print, and print again, twice."""
    say = SPEAKERS[speaker]

    def build(n: int) -> None:
        print("compiling", n, flush=True)
        say(f"cc {n}")
        print("linking", n, end="", flush=True)
        print(flush=True)
        say(f"ld {n}")
        say(f"strip {n}")
        print("done", n, flush=True)

    with workflow("order") as wf:
        made = task(id="build")(build)
        if name == "map":
            made.map([1, 2], task_id="m", chunk=2)
        elif name == "steps":
            made(task_id="a", n=1) >> made(task_id="b", n=2)
        else:
            parallel(made(task_id="a", n=1), made(task_id="b", n=2)).set_group_name("g")
    options: dict[str, Any] = {"start_node": "g"} if name == "group" else {}
    wf.execute(executor=executor, max_workers=2, **options)


EXPECTED = "".join(f"compiling {n}\ncc {n}\nlinking {n}\nld {n}\nstrip {n}\ndone {n}\n" for n in (1, 2))


@pytest.mark.parametrize("executor", ["inline", "thread", "process"])
@pytest.mark.parametrize("name", ["steps", "group", "map"])
@pytest.mark.parametrize("speaker", SPEAKERS)
def test_the_order_is_that_of_saying(name: str, speaker: str, executor: str) -> None:
    if executor == "thread" and name != "steps" and speaker != "subprocess":
        pytest.skip("what belongs to no thread is seen at once, while others are kept until their turn")
    program = PROGRAM.format(
        path=[str(Path(__file__).parent), *sys.path], shape=name, speaker=speaker, executor=executor
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == EXPECTED


def test_each_stream_has_its_order(capfd: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        for n in range(3):
            print("error", n, file=sys.stderr)
            os.write(2, f"more {n}\n".encode())
            print("said", n)
            os.write(1, f"told {n}\n".encode())

    with workflow("both") as wf:
        task(id="a")(body)
    wf.execute(executor="process", max_workers=1)
    out, err = capfd.readouterr()
    assert out == "".join(f"said {n}\ntold {n}\n" for n in range(3))
    assert err == "".join(f"error {n}\nmore {n}\n" for n in range(3))


def test_live_output_has_the_order_too(capfd: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        for n in range(200):
            print("said", n)
            os.write(1, f"told {n}\n".encode())

    with workflow("live") as wf:
        task(id="a")(body)
    wf.execute(executor="process", max_workers=1, output="live")
    assert capfd.readouterr().out == "".join(f"said {n}\ntold {n}\n" for n in range(200))


def test_what_is_said_between_two_looks_of_the_program_keeps_its_order(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live, with looks as often as can be: what is written while it is asked what was printed comes later."""
    monkeypatch.setattr(live_output, "INTERVAL", 0.0)

    def body() -> None:
        for n in range(2000):
            print("said", n)
            os.write(1, f"told {n}\n".encode())

    with workflow("live") as wf:
        task(id="a")(body)
    wf.execute(executor="process", max_workers=1, output="live")
    assert capfd.readouterr().out == "".join(f"said {n}\ntold {n}\n" for n in range(2000))


def test_the_last_words_of_a_body_that_died_have_their_order(capfd: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        print("first")
        os.write(1, b"second\n")
        print("third")
        os.write(1, b"fourth\n")
        os._exit(3)

    with workflow("dies") as wf:
        task(id="a")(body)
    with pytest.raises(Exception, match="a"):
        wf.execute(executor="process", max_workers=1)
    assert capfd.readouterr().out == "first\nsecond\nthird\nfourth\n"


def test_warnings_and_what_a_failed_body_wrote_have_their_order(capfd: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        print("before")
        os.write(1, b"between\n")
        warnings.warn("told", stacklevel=1)
        print("after")
        os.write(1, b"last\n")
        raise ValueError("no")

    with workflow("fails") as wf:
        task(id="a")(body)
    with pytest.warns(UserWarning, match="told"), pytest.raises(Exception, match="no"):
        wf.execute(executor="process", max_workers=1)
    assert capfd.readouterr().out == "before\nbetween\nafter\nlast\n"


def test_bodies_that_take_next_to_no_time_are_heard_as_well(capfd: pytest.CaptureFixture[str]) -> None:
    """What each wrote around Python is its own: in member order, and before its run is over."""

    @task
    def writes(text: bytes) -> None:
        os.write(1, text)

    for count in (200, *[3] * 20):
        with workflow("short") as wf:
            parallel(*[writes(task_id=f"w{n}", text=b"%d\n" % n) for n in range(count)])
        wf.execute(executor="process", max_workers=2)
        assert capfd.readouterr().out == "".join(f"{n}\n" for n in range(count))


def test_what_a_subprocess_writes_after_its_body_is_shown_before_the_run_is_over(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def begins() -> None:
        wait = "while [ ! -e go ]; do sleep 0.005; done"
        subprocess.Popen(["sh", "-c", f"{wait}; echo late; touch done"], cwd=tmp_path)

    def waits() -> None:
        import time

        time.sleep(0.1)  # by then the other worker has nothing to do any more
        (tmp_path / "go").touch()
        while not (tmp_path / "done").exists():
            time.sleep(0.005)

    with workflow("late") as wf:
        parallel(task(id="begins")(begins), task(id="waits")(waits))
    wf.execute(executor="process", max_workers=2)
    assert capfd.readouterr().out == "late\n"
