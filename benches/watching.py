"""Owns what is measured of seeing a run: what it costs the run, and how soon what is asked for is there.

Costs are processor time of the coordinator, all its threads counted, since the clock of a busy machine can't tell so
little. Folders are those of the contestant's own process, so stores and reports go with it.
"""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from bodies import noop
from contest import stopwatch
from engines import Engine, Group
from peers import PEERS


@contextmanager
def terminal() -> Iterator[None]:
    """Have standard error be a terminal, whose bytes somebody else reads and forgets."""
    for name in ("CI", "TTY_INTERACTIVE"):
        os.environ.pop(name, None)
    os.environ["TERM"] = "xterm"
    ours, theirs = pty.openpty()
    reader = subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(ours)
    before = os.dup(2)
    os.dup2(theirs, 2)
    os.close(theirs)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        reader.wait()


def processor(work: Callable[[], object]) -> float:
    """Seconds of processor time that this process spends on something."""
    before = time.process_time()
    work()
    return time.process_time() - before


class Cost(Engine):
    """What an option of `execute` costs the coordinator: ns of processor time a no-op member of a group."""

    def __init__(self, option: str) -> None:
        super().__init__(executor="process")
        self._option = option

    def run(self, size: int) -> float:
        member = self.library.task(noop)
        flows = []
        for _ in range(2):
            with self.workflow() as flow:
                self.library.parallel(*[member(task_id=f"n{i}") for i in range(size)])
            flows.append(flow)
        without = processor(lambda: self.execute(flows[0], size))
        self._options[self._option] = True
        with terminal() if self._option == "progress" else nullcontext():
            spent = processor(lambda: self.execute(flows[1], size))
        del self._options[self._option]
        return (spent - without) / size * 1e9


class Bar:
    """What a progress bar around a loop costs: ns of processor time a step."""

    def __init__(self, library: str) -> None:
        self._around: Callable[[Any], Any]
        if library == "tqdm":
            from tqdm import tqdm

            self._around = lambda steps: tqdm(steps, file=sys.stderr)
        else:
            from rich.console import Console
            from rich.progress import track

            self._around = lambda steps: track(steps, console=Console(stderr=True, force_terminal=True))

    def run(self, size: int) -> float:
        def loop(steps: Any) -> None:
            for _ in steps:
                pass

        without = processor(lambda: loop(range(size)))
        with terminal():
            spent = processor(lambda: loop(self._around(range(size))))
        return (spent - without) / size * 1e9

    def close(self) -> None:
        """Nothing to close."""


class Recorded(Group):
    """A group of no-op members in the pool, with its record or without: µs a member by the clock."""

    def __init__(self, record: bool) -> None:
        super().__init__(executor="process")
        self._options["record"] = record


class DaskWatched:
    """Dask with one of its ways to see what ran: µs a task."""

    def __init__(self, way: str) -> None:
        import distributed

        self._peer = PEERS["dask"]()
        ways: dict[str, Callable[[], Any]] = {
            "nothing": nullcontext,
            "report": lambda: distributed.performance_report(filename="dask.html"),
            "stream": lambda: distributed.get_task_stream(plot="save", filename="stream.html"),
        }
        self._way = ways[way]

    def run(self, size: int) -> Mapping[str, float]:
        def work() -> None:
            with self._way():
                self._peer.each(_same, range(size))

        seconds = stopwatch(work)
        notes = {f"{path.name}, kB": path.stat().st_size / 1e3 for path in Path().glob("*.html")}
        return {"value": seconds / size * 1e6, **notes}

    def close(self) -> None:
        self._peer.close()


def _same(item: Any) -> Any:
    return item


class Report(Engine):
    """The report of a recorded run: seconds until it is written; its size and how soon a browser shows it are notes."""

    def __init__(self) -> None:
        super().__init__(executor="process")
        self._stores: dict[int, Path] = {}

    def run(self, size: int) -> Mapping[str, float]:
        if size not in self._stores:
            store = self._stores[size] = Path(f"runs-{size}.db")
            member = self.library.task(noop)
            with self.workflow() as flow:
                self.library.parallel(*[member(task_id=f"batch_{i:06}") for i in range(size)])
            self.execute_recorded(flow, store)
        loaded: list[Any] = []
        loading = stopwatch(lambda: loaded.append(self.library.load_run(self._stores[size])))
        seconds = stopwatch(lambda: loaded[0].report("run.html"))
        return {
            "value": seconds,
            "kB": Path("run.html").stat().st_size / 1e3,
            "reading its record, s": loading,
            **in_browser(Path("run.html").resolve()),
        }

    def execute_recorded(self, flow: Any, store: Path) -> None:
        """Run it once and keep its record."""
        flow.execute(record=store, **self._options)


class DaskReport(DaskWatched):
    """Dask's report of so many tasks: seconds that it adds to the run, its size, how soon a browser shows it."""

    def __init__(self) -> None:
        super().__init__("report")

    def run(self, size: int) -> Mapping[str, float]:
        way, self._way = self._way, nullcontext
        without = float(super().run(size)["value"])
        self._way = way
        seconds = (float(super().run(size)["value"]) - without) * size / 1e6
        path = Path("dask.html").resolve()
        return {"value": seconds, "kB": path.stat().st_size / 1e3, **in_browser(path)}


def in_browser(path: Path) -> dict[str, float]:
    """Seconds until a page in Chromium, without a network, is quiet, and how many requests it made; {} without one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return {}
    if chromium is None:
        return {}
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        asked: list[str] = []
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or asked.append(request.url))
        begun = time.perf_counter()
        page.goto(path.as_uri())
        ready = "html[data-ready=yes]" if "data-ready" in path.read_text(errors="replace") else "body"
        page.wait_for_selector(ready, state="attached")
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        seconds = time.perf_counter() - begun
        browser.close()
    return {"interactive in Chromium after, s": seconds, "requests to a network": len(asked)}
