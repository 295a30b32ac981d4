"""The report of a run that goes on, served to a browser: what it says, who gets it, and what it costs the run."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from graflow_fast import load_run
from graflow_fast._record.serving import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: Bodies wait for a file of their number, so that the test says how far the run is.
PROGRAM = """
import os, sys, time
from graflow_fast import chain, task, workflow

with workflow("gated") as wf:

    @task
    def step(n):
        while not os.path.exists(f"gate{n}"):
            time.sleep(0.01)

    @task
    def fails():
        raise ValueError("the end")

    chain(*[step(task_id=f"step{n}", n=n) for n in range(4)], fails)
    wf.execute(record="runs.db", executor="inline")
"""


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something holds."""
    last = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < last, "it does not come to hold"
        time.sleep(0.05)


class Run:
    """A run in another process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "gated.py").write_text(PROGRAM)
        self.process = subprocess.Popen([sys.executable, "gated.py"], cwd=folder, stderr=subprocess.DEVNULL)
        self.store = folder / "runs.db"
        until(self._is_recorded)

    def _is_recorded(self) -> bool:
        try:
            return bool(load_run(self.store).columns().names)
        except Exception:
            return False

    def pass_gate(self, number: int) -> None:
        (self.folder / f"gate{number}").touch()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture
def server(run: Run) -> Iterator[Server]:
    made = Server(run.store)
    thread = threading.Thread(target=made.serve)
    thread.start()
    yield made
    made.close()
    thread.join()


def answer(server: Server, name: str = "", *, path: str | None = None, host: str | None = None) -> tuple[int, str]:
    """Return the status and the text of an answer."""
    parts = urlsplit(server.address)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=30)
    headers = {} if host is None else {"Host": host}
    connection.request("GET", parts.path + name if path is None else path, headers=headers)
    given = connection.getresponse()
    try:
        return given.status, given.read().decode()
    finally:
        connection.close()


def rows(server: Server) -> int:
    count: int = json.loads(answer(server, "state")[1])["rows"]
    return count


def test_the_page_fills_as_the_run_goes_and_is_a_report_at_its_end(run: Run, server: Server) -> None:
    status, page = answer(server)
    assert status == 200
    assert "connect-src 'self'" in page
    assert 'fetch("state"' in page
    before = rows(server)
    run.pass_gate(0)
    until(lambda: rows(server) > before)
    for number in range(1, 4):
        run.pass_gate(number)
    until(lambda: not json.loads(answer(server, "state")[1])["running"])
    state = json.loads(answer(server, "state")[1])
    assert (state["outcome"], state["rows"]) == ("failed", 5)
    page = answer(server)[1]
    assert "connect-src" not in page
    assert "fetch(" not in page
    assert "the end" in page


def test_only_who_knows_the_address_gets_an_answer(server: Server) -> None:
    parts = urlsplit(server.address)
    assert parts.hostname == "127.0.0.1"
    assert len(parts.path) > 20
    for path in ("/", "/state", parts.path[:-2] + "/", "/x" + parts.path[2:], parts.path.upper(), "/%C3%A9/"):
        assert answer(server, path=path)[0] == 403, path
    for host in ("evil.example", f"evil.example:{parts.port}", "127.0.0.1", f"127.0.0.1:{parts.port}.evil.example", ""):
        assert answer(server, host=host)[0] == 403, host
    assert answer(server, host=f"localhost:{parts.port}")[0] == 200
    assert answer(server, "runs.db")[0] == 404
    assert answer(server, "../runs.db")[0] == 404


def test_the_run_listens_to_nobody(run: Run, server: Server) -> None:
    answer(server)
    process = psutil.Process(run.process.pid)
    find = getattr(process, "net_connections", None) or process.connections
    assert find() == []


def test_a_store_that_is_gone_is_said(run: Run, server: Server) -> None:
    for file in run.folder.glob("runs.db*"):
        file.unlink()
    until(lambda: answer(server, "state")[0] == 500)
    assert "runs.db" in json.loads(answer(server, "state")[1])["error"]


def test_the_command_serves_until_ctrl_c(run: Run) -> None:
    line = [sys.executable, "-m", "graflow_fast", "serve", "--store", str(run.store)]
    serving = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert serving.stdout is not None
    said = serving.stdout.readline()
    assert said.startswith("http://127.0.0.1:")
    assert said.endswith("/ (until Ctrl-C)\n")
    parts = urlsplit(said.split()[0])
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=30)
    connection.request("GET", f"{parts.path}state")
    assert json.loads(connection.getresponse().read())["running"]
    serving.send_signal(signal.SIGINT)
    assert (serving.wait(30), serving.stderr.read() if serving.stderr else "") == (0, "")


def test_a_run_that_is_not_there_and_a_port_that_is_taken_are_said(run: Run, server: Server) -> None:
    line = [sys.executable, "-m", "graflow_fast", "serve", "--store", str(run.store)]
    done = subprocess.run([*line, "77"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "There is no run '77'" in done.stderr
    done = subprocess.run([*line, "--port", str(urlsplit(server.address).port)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "in use" in done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
def test_a_browser_shows_each_step_and_the_verdict(run: Run, server: Server) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: requirements/pages.txt")
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda message: troubles.append(message.text))
        page.goto(server.address + "#filter=step")
        page.wait_for_selector("#live:has-text('live:')")
        for number in range(4):
            run.pass_gate(number)
            page.wait_for_selector(f"#shown:has-text('{number + 1} of')", timeout=30_000)
        page.wait_for_selector("html[data-ready=yes]:not(:has(#live))")
        assert "ValueError: the end" in page.locator("#failures").inner_text()
        assert page.locator("#filter").input_value() == "step"
        assert troubles == []
        browser.close()
    assert os.path.exists(run.store)
