"""Owns the contestants of rows D4 to D8: durable runs, in stores of their own, and DBOS Transact on SQLite.

A store lies in the directory that the contestant's process was started in, which is on a disk; a run that has ended is
removed with it.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bodies import noop
from contest import HERE, Unavailable, stopwatch
from engines import Engine
from processor import watched

_serial = itertools.count()


class Durable(Engine):
    """An engine whose runs are durable, each in a store of its own; `sync` as `execute` has it."""

    def __init__(self, executor: str | None = "inline", durable: bool = True, sync: str | None = None) -> None:
        super().__init__(executor=executor)
        self._durable = durable
        self._folder = Path()
        if sync is not None:
            self._options["sync"] = sync

    def execute(self, flow: Any, steps: int, start: str | None = None) -> tuple[Any, Any]:
        if self._durable:
            self._folder = Path(f"store{next(_serial)}").absolute()
            self._folder.mkdir(mode=0o700)
            self._options["durable"] = self._folder / "runs.db"
        return super().execute(flow, steps, start)

    def left(self, count: int) -> dict[str, float]:
        """Remove the last store; how many bytes it had for each of `count`."""
        if not self._durable:
            return {}
        size = sum(file.stat().st_size for file in self._folder.iterdir())
        shutil.rmtree(self._folder)
        return {"bytes on the disk for each": size / count}


class Chain(Durable):
    """A chain of no-op steps: µs a step."""

    def run(self, size: int) -> Mapping[str, float]:
        step = self.library.task(noop)
        with self.workflow() as flow:
            self.library.chain(*[step(task_id=f"n{i}") for i in range(size)])
        seconds, spent = watched(lambda: self.execute(flow, size), size)
        return {"value": seconds / size * 1e6, **spent, **self.left(size)}


class Group(Durable):
    """A group of no-op members in the pool: µs a member."""

    def __init__(self, durable: bool = True) -> None:
        super().__init__("process", durable)

    def run(self, size: int) -> Mapping[str, float]:
        member = self.library.task(noop)
        with self.workflow() as flow:
            self.library.parallel(*[member(task_id=f"n{i}") for i in range(size)])
        seconds, spent = watched(lambda: self.execute(flow, size), size)
        return {"value": seconds / size * 1e6, **spent, **self.left(size)}


class Busy(Durable):
    """Tasks that read the channel, append to it and enqueue the next one: µs a task."""

    def run(self, size: int) -> Mapping[str, float]:
        def body(ctx: Any, number: int) -> int:
            channel = ctx.get_channel()
            channel.append("seen", number)
            channel.set("last", channel.get("last", 0) + 1)
            if number + 1 < size:
                ctx.next_task(task(task_id=f"n{number + 1}", number=number + 1))
            return number

        task = self.library.task(inject_context=True)(body)
        with self.workflow() as flow:
            task(task_id="n0", number=0)
        answers: list[Any] = []
        seconds, spent = watched(lambda: answers.append(self.execute(flow, size)[1]), size)
        if answers[0].get_channel().get("last") != size:
            raise RuntimeError("not every task ran")
        return {"value": seconds / size * 1e6, **spent, **self.left(size)}


class Runs(Durable):
    """Whole runs of one task each, all in one store: µs a run."""

    def run(self, size: int) -> float:
        task = self.library.task(noop)
        flows = []
        for _ in range(size):
            with self.workflow() as flow:
                task(task_id="only")
            flows.append(flow)
        folder = Path(f"store{next(_serial)}").absolute()
        folder.mkdir(mode=0o700)
        if self._durable:
            self._options["durable"] = folder / "runs.db"
        seconds = stopwatch(lambda: [Engine.execute(self, flow, 1) for flow in flows])
        shutil.rmtree(folder)
        return seconds / size * 1e6


class Start(Durable):
    """A program of one task: ms that it takes more if its run is durable, median of pairs."""

    def run(self, size: int) -> float:
        more = []
        for _ in range(size):
            plain = stopwatch(lambda: self._program(""))
            durable = stopwatch(lambda: self._program(f"durable='store{next(_serial)}/runs.db'"))
            more.append((durable - plain) * 1000)
        return sorted(more)[len(more) // 2]

    def _program(self, options: str) -> None:
        text = (
            "from graflow_fast import task, workflow\n"
            "with workflow('w') as wf:\n    @task\n    def a():\n        return 1\n"
            f"wf.execute({options})\n"
        )
        # As where it is installed: modules are compiled once.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(Path("compiled").absolute())
        subprocess.run([sys.executable, "-c", text], check=True, env=environment)


class Unchanged(Durable):
    """Iterations over 100 KB in the channel that none of them changes: bytes on the disk an iteration."""

    def run(self, size: int) -> Mapping[str, float]:
        def again(ctx: Any) -> int:
            count = int(ctx.cycle_count)
            if count == 1:
                ctx.get_channel().set("large", bytes(range(256)) * 400)
            if count < size:
                ctx.next_iteration()
            return count

        with self.workflow() as flow:
            self.library.task(inject_context=True, max_cycles=size + 10)(again)
        longest, over = 0, threading.Event()

        def watch() -> None:
            nonlocal longest
            while not over.wait(0.02):
                for file in Path().glob("store*/runs.db-wal"):
                    longest = max(longest, file.stat().st_size)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            seconds = stopwatch(lambda: self.execute(flow, size))
        finally:
            over.set()
            watcher.join()
        each = self.left(size)["bytes on the disk for each"]
        return {"value": each, "longest log of the database, MiB": longest / 2**20, "µs each": seconds / size * 1e6}


class Resumed(Durable):
    """A run that fails at the end of a chain and goes on: seconds to catch up with a million done steps."""

    def run(self, size: int) -> Mapping[str, float]:
        with self.library.workflow("resumed") as failing:
            self._chain(size, self._fails)
        with self.library.workflow("resumed") as repaired:
            self._chain(size, noop)
        try:
            self.execute(failing, size)
        except Exception as error:
            if "at the end" not in str(error.__cause__):
                raise
        else:
            raise RuntimeError("the run was to fail")
        seconds = stopwatch(lambda: repaired.resume(self._folder / "runs.db"))
        self.left(size)
        return {"value": seconds / size * 1e6, "seconds in all": seconds}

    def _chain(self, size: int, last: Any) -> None:
        step, end = self.library.task(noop), self.library.task(id="end")(last)
        self.library.chain(*[step(task_id=f"n{i}") for i in range(size)], end)

    @staticmethod
    def _fails() -> None:
        raise ValueError("at the end")


class Listed:
    """A store of `size` MB while a run writes to it: ms to list its runs; showing one is a note."""

    def __init__(self) -> None:
        self._path = Path("large/runs.db").absolute()
        self._size = 0

    def run(self, size: int) -> Mapping[str, float]:
        from graflow_fast._record.commands import summary_text
        from graflow_fast._record.loading import load_run
        from graflow_fast._store import list_runs, open_store

        store = open_store(self._path)
        for number in range(max(0, size - self._size)):
            writer = store.begin(f"filler{number}")
            for _ in range(2):
                writer.append(0, random.randbytes(500_000))
            writer.finish("finished")
        self._size = max(self._size, size)
        self._recorded()
        writer = store.begin("under way")
        for _ in range(100):
            writer.append(0, random.randbytes(100_000))
        listing = stopwatch(lambda: list_runs(self._path))
        number = str(next(row["id"] for row in list_runs(self._path) if row["workflow"] == "shown"))
        showing = stopwatch(lambda: summary_text(load_run(str(self._path), number)))
        writer.finish("finished")
        return {"value": listing * 1000, "ms to show a run of 1 000 tasks": showing * 1000}

    def _recorded(self) -> None:
        import graflow_fast

        step = graflow_fast.task(noop)
        with graflow_fast.workflow("shown") as flow:
            graflow_fast.chain(*[step(task_id=f"n{i}") for i in range(1000)])
        flow.execute(durable=self._path, executor="inline")

    def close(self) -> None:
        """The directory goes with the process."""


class Syncs:
    """A program under `strace`: how often it waits for the disk, for each step or in all."""

    def __init__(self, program: str, each: bool = True) -> None:
        if shutil.which("strace") is None:
            raise Unavailable("strace is not installed")
        self._program = program
        self._each = each

    def run(self, size: int) -> float:
        few, many = (self._count(count) for count in (2, 2 + size))
        return (many - few) / (size if self._each else 1)

    def _count(self, size: int) -> int:
        counts = Path("counts")
        command = ["strace", "-f", "-qq", "-c", "-e", "trace=fsync,fdatasync", "-o", str(counts)]
        program = [sys.executable, str(HERE / "syncing.py"), self._program, str(size)]
        subprocess.run([*command, *program], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = re.findall(r"^\s*\S+\s+\S+\s+\S+\s+(\d+)\s.*\bf(?:data)?sync$", counts.read_text(), re.MULTILINE)
        return sum(map(int, found))

    def close(self) -> None:
        """Each program ends by itself."""


class Dbos:
    """DBOS Transact on SQLite, as it comes: µs a step of a workflow, or µs a workflow of one step."""

    def __init__(self, lone: bool = False) -> None:
        from dbos import DBOS

        DBOS(
            config={
                "name": "bench",
                "system_database_url": f"sqlite:///{Path('dbos.db').absolute()}",
                "log_level": "ERROR",
                "run_admin_server": False,
            }
        )
        step = DBOS.step()(noop)

        @DBOS.workflow()
        def steps(count: int) -> int:
            for _ in range(count):
                step()
            return count

        self._dbos, self._steps, self._lone = DBOS, steps, lone
        DBOS.launch()

    def run(self, size: int) -> float:
        if self._lone:
            return stopwatch(lambda: [self._steps(1) for _ in range(size)]) / size * 1e6
        started = time.perf_counter()
        if self._steps(size) != size:
            raise RuntimeError("not every step ran")
        return (time.perf_counter() - started) / size * 1e6

    def close(self) -> None:
        self._dbos.destroy()
