"""Who looks at a run costs it nothing: one that is stopped, one that holds the store, and several at once."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from graflow_fast import load_run, task, workflow

#: Steps of some milliseconds, and a gate in the middle, at which the test decides what is otherwise going on.
PROGRAM = """
import os, sys, time
from graflow_fast import task, workflow

STEPS = int(sys.argv[1])
with workflow("watched") as wf:

    @task(inject_context=True, max_cycles=STEPS)
    def step(ctx):
        time.sleep(0.004)
        if ctx.cycle_count < STEPS:
            ctx.next_iteration()

    @task
    def gate():
        open("half", "w").close()
        while not os.path.exists("go on"):
            time.sleep(0.01)

    step(task_id="first") >> gate >> step(task_id="second")
    wf.execute("first", record="runs.db", executor=sys.argv[2])
"""
STEPS = 250


def until(holds: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until something holds."""
    last = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < last, "it does not come to hold"
        time.sleep(0.02)


@pytest.fixture
def begun() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Begins processes, which end with the test."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*line: Any, **options: Any) -> subprocess.Popen[str]:
        processes.append(subprocess.Popen([sys.executable, *map(str, line)], text=True, **options))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def serve(begin: Callable[..., subprocess.Popen[str]], store: Path) -> tuple[subprocess.Popen[str], str]:
    """Begin to serve the run of a store; return the process and the address."""
    process = begin("-m", "graflow_fast", "serve", "--store", store, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, process.stdout.readline().split()[0]


@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_server_that_is_stopped_changes_no_task_s_time(executor: str, begun: Any, tmp_path: Path) -> None:
    (tmp_path / "watched.py").write_text(PROGRAM)
    run = begun("watched.py", STEPS, executor, cwd=tmp_path)
    store = tmp_path / "runs.db"
    until((tmp_path / "half").exists)
    server, address = serve(begun, store)
    with urlopen(address, timeout=30) as page:
        assert "watched" in page.read().decode()
    server.send_signal(signal.SIGSTOP)
    (tmp_path / "go on").touch()
    assert run.wait(60) == 0, "nobody waits for who looks"
    rows = [row for row in load_run(store).tasks() if row.function == "step"]
    server.send_signal(signal.SIGCONT)
    assert len(rows) == 2 * STEPS
    free, watched = (
        statistics.median(row.end - row.start for row in rows if row.task.startswith(name))
        for name in ("first", "second")
    )
    assert watched == pytest.approx(free, rel=0.1), "steps take what they took"
    starts = [sorted(row.start for row in rows if row.task.startswith(name)) for name in ("first", "second")]
    free, watched = (statistics.median(b - a for a, b in itertools.pairwise(each)) for each in starts)
    assert watched == pytest.approx(free, rel=0.15), "and so does what is between them"


def test_a_run_does_not_wait_for_a_reader_in_the_middle_of_the_store(tmp_path: Path) -> None:
    """As one that is stopped while it reads would be: it holds what it reads for as long as it likes."""
    with workflow("held") as wf:

        @task
        def step() -> None:
            pass

        step
    store = tmp_path / "runs.db"
    wf.execute(record=store, executor="inline")
    reader = sqlite3.connect(store)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] > 0
    began = time.monotonic()
    for _ in range(5):
        wf.execute(record=store, executor="inline")
    assert time.monotonic() - began < 10, "a writer that waits for readers waits for a minute"
    reader.close()
    assert len(load_run(store).columns().node) == 1


#: Steps behind a gate: whoever looks is there before the first one.
COUNTED = """
import sys
from graflow_fast import task, workflow

STEPS, store, gate = int(sys.argv[1]), sys.argv[2], sys.argv[3]
with workflow("counted") as wf:

    @task
    def wait():
        open(gate).read()  # which is no work, however long it takes

    @task(inject_context=True, max_cycles=STEPS)
    def step(ctx):
        if ctx.cycle_count < STEPS:
            ctx.next_iteration()

    wait >> step
    wf.execute(record=store, executor="inline")
"""
#: Looks at a run in both ways until it has ended; opens its gate when it has begun, and prints how often it looked.
LOOKS = """
import subprocess, sys, time
from urllib.request import urlopen
from graflow_fast import load_run

store, gate = sys.argv[1:]

def outcome():
    try:
        return load_run(store).columns().meta["outcome"]
    except Exception:
        return None

while outcome() is None:
    time.sleep(0.02)
line = [sys.executable, "-m", "graflow_fast"]
server = subprocess.Popen([*line, "serve", "--store", store], stdout=subprocess.PIPE, text=True)
top = subprocess.Popen([*line, "top", "--store", store, "--interval", "0.1"], stdout=subprocess.DEVNULL)
address, count = server.stdout.readline().split()[0], 0
urlopen(address).close()
open(gate, "w").close()
while outcome() == "running":
    for name in ("", "state"):
        with urlopen(address + name) as answer:
            answer.read()
    count += 1
    time.sleep(0.02)
server.kill()
top.kill()
print(count)
"""


@pytest.fixture
def count_instructions(begun: Any, tmp_path: Path) -> Callable[[str, Callable[[Path, Path], None]], int]:
    """Runs steps under callgrind while something else goes on; returns how many instructions the run took."""
    (tmp_path / "counted.py").write_text(COUNTED)
    (tmp_path / "looks.py").write_text(LOOKS)

    def count(name: str, beside: Callable[[Path, Path], None]) -> int:
        out, store, gate = (tmp_path / f"{name}.{end}" for end in ("out", "db", "gate"))
        os.mkfifo(gate)
        line = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}", sys.executable]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        with subprocess.Popen([*line, tmp_path / "counted.py", "3000", store, gate], env=environment) as process:
            beside(store, gate)
            assert process.wait(100) == 0
        totals = [text for text in out.read_text().splitlines() if text.startswith("totals:")]
        return int(totals[0].split()[1])

    return count


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_viewers_make_a_run_do_nothing(count_instructions: Any, tmp_path: Path) -> None:
    """A page that is asked for all the time, and `top`: they take time of their own, and none of the run's."""
    alone = count_instructions("alone", lambda store, gate: gate.write_text(""))
    looked: list[int] = []

    def look(store: Path, gate: Path) -> None:
        line = [sys.executable, tmp_path / "looks.py", store, gate]
        looked.append(int(subprocess.run(line, capture_output=True, text=True, timeout=100, check=True).stdout))

    watched = count_instructions("watched", look)
    assert looked[0] > 0
    assert watched <= 1.01 * alone, f"{watched / alone:.4f} of what it takes alone, looked at {looked[0]} times"
