"""Owns what is measured of questions about a run: how soon commands answer, and how right estimates are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from bodies import noop
from contest import WORKERS, stopwatch
from engines import Engine

_PROGRAM = [sys.executable, "-m", "graflow_fast"]


class Command(Engine):
    """A command line of this package or another: ms until it has ended. `{store}` in it has a run of so many tasks."""

    def __init__(self, line: list[str]) -> None:
        super().__init__(executor="process")
        self._line = line
        self._store = Path("commands.db")

    def run(self, size: int) -> float:
        if any("{store}" in word for word in self._line) and not self._store.exists():
            member = self.library.task(noop)
            with self.workflow() as flow:
                self.library.parallel(*[member(task_id=f"n{i}") for i in range(size)])
            flow.execute(record=self._store, **self._options)
        line = [sys.executable, "-m", *(word.format(store=self._store) for word in self._line)]
        return stopwatch(lambda: subprocess.run(line, check=True, stdout=subprocess.DEVNULL)) * 1e3


_HELD = """
from graflow_fast import parallel, task, workflow
with workflow("held") as wf:
    @task
    def body():
        (10 ** (10 ** 7)) // 7 ** (10 ** 7)  # holds the interpreter for longer than anybody looks
    parallel(*[body(task_id=f"n{n}") for n in range(WORKERS)])
    wf.execute(executor="process", max_workers=WORKERS)
"""


class Stacks:
    """`graflow-fast stacks` of so many workers, all in C code that holds the interpreter: ms until all are shown."""

    def __init__(self) -> None:
        self._held: subprocess.Popen[bytes] | None = None

    def run(self, size: int) -> float:
        if self._held is None:
            self._held = subprocess.Popen([sys.executable, "-c", _HELD.replace("WORKERS", str(size))])
        line = [*_PROGRAM, "stacks", "--json", "--pid", str(self._held.pid)]
        until = time.monotonic() + 30
        while True:
            began = time.perf_counter()
            done = subprocess.run(line, check=False, capture_output=True, text=True)
            took = time.perf_counter() - began
            if done.returncode == 0 and _at_work(json.loads(done.stdout)) == size:
                return took * 1e3
            if time.monotonic() > until:
                raise RuntimeError(f"not all of {size} workers were shown: {done.stderr.strip()}")
            time.sleep(0.1)

    def close(self) -> None:
        if self._held is not None:
            self._held.kill()
            self._held.wait()


def _at_work(told: Any) -> int:
    """How many workers are shown at a line of the program."""
    threads = [thread for program in told["programs"] for worker in program["workers"] for thread in worker["threads"]]
    return sum(any(frame["function"] == "body" for frame in thread["frames"] or ()) for thread in threads)


def burn(seconds: float) -> int:
    """Compute for so long by the processor's clock of this thread, as a real body does."""
    rounds, end = 0, time.thread_time() + seconds
    while time.thread_time() < end:
        rounds += sum(range(1000))
    return rounds


class WhatIf(Engine):
    """`what_if` with the workers that a real program had: by how many % it is off what was measured.

    `kind` is "group", "map", "loops", "graph" (edges, all that is ready), "retries" or "cpu" (a group that computes).
    """

    def __init__(self, kind: str) -> None:
        super().__init__(executor="process")
        self._kind = kind

    def _flow(self, size: int) -> Any:
        library = self.library
        with self.workflow() as flow:

            @library.task
            def work(number: int) -> None:
                time.sleep(0.01 + 0.04 * Random(number).random())

            @library.task
            def compute(number: int) -> int:
                return burn(0.01 + 0.04 * Random(number).random())

            @library.task
            def last() -> None:
                time.sleep(0.02)

            @library.task(max_retries=2)
            def flaky(number: int) -> None:
                time.sleep(0.01 + 0.02 * Random(number).random())
                marker = Path(f"tried-{number}")
                if number % 3 == 0 and not marker.exists():
                    marker.touch()
                    raise ValueError("once more")

            @library.task(inject_context=True, max_cycles=size + 1)
            def rounds(ctx: Any) -> None:
                time.sleep(0.01 + 0.02 * Random(ctx.cycle_count).random())
                if ctx.cycle_count < size:
                    ctx.next_iteration()

            body = {"cpu": compute, "retries": flaky}.get(self._kind, work)
            if self._kind == "map":
                work.map(range(size)) >> last
            elif self._kind == "loops":
                rounds >> last
            elif self._kind == "graph":
                tasks = [work(task_id=f"n{number}", number=number) for number in range(size)]
                for number in range(2, size):
                    tasks[number // 2] >> tasks[number]
                    tasks[number - 2] >> tasks[number]
            else:
                library.parallel(*[body(task_id=f"n{number}", number=number) for number in range(size)]) >> last
        return flow

    def run(self, size: int) -> Mapping[str, float]:
        for marker in Path().glob("tried-*"):
            marker.unlink()
        schedule = {"schedule": "parallel"} if self._kind == "graph" else {}
        _, context = self._flow(size).execute(record=True, ret_context=True, **schedule, **self._options)
        run = context.run
        measured, answer = run.figures.wall, run.what_if(workers=WORKERS)
        return {"value": abs(answer / measured - 1) * 100, "measured, s": measured, "answer, s": answer}


_KILLED = """
import sys, time
from graflow_fast import task, workflow
with workflow("killed") as wf:
    @task(inject_context=True, max_cycles=10 ** 9)
    def step(ctx):
        if ctx.cycle_count % 100 == 0:
            print(ctx.cycle_count, time.monotonic(), flush=True)
        ctx.next_iteration()
    wf.execute(record="killed.db", executor="inline")
"""


class Killed(Engine):
    """A recorded run that is killed after some seconds: s before its death of which nothing is in its record."""

    def run(self, size: int) -> float:
        for path in Path().glob("killed.db*"):
            path.unlink()
        process = subprocess.Popen([sys.executable, "-c", _KILLED], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        begun, told = time.monotonic(), [(0, 0.0)]
        for line in process.stdout:
            number, at = line.split()
            told.append((int(number), float(at)))
            if time.monotonic() - begun > size:
                break
        os.kill(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()
        kept = len(self.library.load_run("killed.db").columns().node)
        first_lost = next((at for number, at in told[1:] if number > kept), told[-1][1])
        return told[-1][1] - first_lost


class Looked(Engine):
    """A recorded chain in the calling thread, alone or with `top` and `serve`: µs of its processor time a step."""

    def __init__(self, viewers: bool) -> None:
        super().__init__(executor="inline")
        self._viewers = viewers

    def run(self, size: int) -> float:
        step = self.library.task(noop)
        with self.workflow() as flow:
            self.library.chain(*[step(task_id=f"n{i}") for i in range(size)])
        store = Path("looked.db").resolve()
        if not store.exists():  # viewers need one to begin with
            with self.workflow() as small:
                step(task_id="only")
            small.execute(record=store)
        lines = [["top", "--interval", "0.1"], ["serve"]] if self._viewers else []
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        viewers = [subprocess.Popen([*_PROGRAM, *line, "--store", str(store)], **quiet) for line in lines]  # type: ignore[call-overload]
        self._options["record"] = store
        try:
            before = time.process_time()
            self.execute(flow, size)
            return (time.process_time() - before) / size * 1e6
        finally:
            for viewer in viewers:
                viewer.kill()
                viewer.wait()
