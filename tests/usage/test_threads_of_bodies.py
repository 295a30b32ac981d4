"""Threads that bodies start: what they print has the body's place, on every executor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, sys, threading
from concurrent.futures import ThreadPoolExecutor
from graflow_fast import parallel, task, workflow

logging.basicConfig(stream=sys.stdout, format="log %(message)s")
shared = threading.Barrier(1)

def say(n, depth=0):
    print("thread", n, depth)
    logging.warning("of %d", n)
    if depth < 1:
        inner = threading.Thread(target=say, args=(n, depth + 1))
        inner.start()
        inner.join()

class Own(threading.Thread):
    def __init__(self, n):
        super().__init__()
        self.n = n

    def run(self):
        print("own", self.n)

@task
def body(n):
    print("begins", n)
    say_it = threading.Thread(target=say, args=(n,))
    say_it.start()
    say_it.join()
    mine = Own(n)
    mine.start()
    mine.join()
    with ThreadPoolExecutor(2) as pool:
        print(*pool.map(str, range(3)))
        pool.submit(print, "pooled", n).result()
    print("ends", n)
    return n

with workflow("w", executor=sys.argv[1]) as wf:
    parallel(*(body(task_id=f"b{n}", n=n) for n in range(4))) >> body.map([7, 8], task_id="m")
    print(wf.execute())
"""


def lines(n: int) -> list[str]:
    said = [f"begins {n}", f"thread {n} 0", f"log of {n}", f"thread {n} 1", f"log of {n}", f"own {n}"]
    return [*said, "0 1 2", f"pooled {n}", f"ends {n}"]


@pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])
def test_their_output_comes_with_the_body_s(tmp_path: Path, executor: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py", executor], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    expected = [line for n in (0, 1, 2, 3, 7, 8) for line in lines(n)]
    assert done.stdout.splitlines() == [*expected, "[7, 8]"]


def test_a_thread_that_goes_on_when_its_body_has_ended_prints_all_the_same(tmp_path: Path) -> None:
    program = (
        "import threading\n"
        "from graflow_fast import parallel, task, workflow\n"
        "go, done = threading.Event(), []\n"
        "def late():\n    go.wait()\n    print('late')\n"
        "def body():\n    done.append(threading.Thread(target=late))\n    done[-1].start()\n    print('body')\n"
        "with workflow('w', executor='thread') as wf:\n"
        "    parallel(task('a')(body), task('b')(lambda: None)) >> task('c')(lambda: go.set() or done[0].join())\n"
        "    wf.execute()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("body\nlate\n", "")


def test_streams_of_workers_have_what_text_streams_have(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from graflow_fast import task, workflow\n"
        "def look():\n"
        "    return [(each.name, each.mode, each.newlines, each.closed) for each in (sys.stdout, sys.stderr)]\n"
        "with workflow('w') as wf:\n    task('look')(look)\n"
        "print(wf.execute(executor='inline') == wf.execute(executor='process'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
