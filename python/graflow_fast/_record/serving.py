"""The report of a run on this machine's loopback, filling while the run goes.

Owns who may see it: whoever knows the address, which has a random part, and nobody by way of another site's name. Reads
the store, as any other process does; the run knows nothing of it.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from graflow_fast._record.columns import known_end
from graflow_fast._record.loading import load_run
from graflow_fast._record.report import html_page
from graflow_fast.exceptions import GraflowError

if TYPE_CHECKING:
    from os import PathLike

    from graflow_fast._record.run import RecordedRun

__all__ = ["Server"]

#: Seconds between two readings at least, and how many times as long as a reading takes.
_PAUSE, _SHARE = 0.5, 9
#: Seconds that a browser may take to say what it wants.
_PATIENCE = 30


class Server:
    """Serves one run until it is closed.

    Attributes:
        address: where the page is.
    """

    def __init__(self, store: str | PathLike[str] | None = None, run: int | str | None = None, port: int = 0) -> None:
        """Listen, and answer in threads of its own from `serve` on.

        Args:
            store: see `load_run`.
            run: see `load_run`; the latest is the one that is the latest now.
            port: where to listen; 0: any port that is free.

        Raises:
            GraflowError: there is no such run.
            OSError: the store can't be read, or the port is taken.
        """
        view, token = _View(store, run), secrets.token_urlsafe(16)

        class Handler(_Handler):
            shown = view
            prefix = f"/{token}/"

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        here = self._http.server_port
        Handler.hosts = f"127.0.0.1:{here}", f"localhost:{here}"
        self.address = f"http://127.0.0.1:{here}/{token}/"

    def serve(self) -> None:
        """Answer until `close` is called by another thread, or Ctrl-C."""
        self._http.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Answer no longer."""
        self._http.shutdown()
        self._http.server_close()


class _View:
    """A run as it stood at the last reading, which is a moment ago."""

    def __init__(self, store: str | PathLike[str] | None, run: int | str | None) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._run = load_run(store, run)
        self._number: int = self._run.columns().meta["run"]
        self._next = 0.0
        self._page: tuple[dict[str, Any], bytes] | None = None

    def state(self) -> dict[str, Any]:
        """How far the run is."""
        with self._lock:
            return _state(self._now())

    def page(self) -> bytes:
        """The report; while the run goes it asks for news."""
        with self._lock:
            run = self._now()
            state = _state(run)
            if self._page is None or self._page[0] != state:
                self._page = state, html_page(run, live=state if state["running"] else None).encode()
            return self._page[1]

    def _now(self) -> RecordedRun:
        began = time.monotonic()
        if began >= self._next and _state(self._run)["running"]:
            self._run = load_run(self._store, self._number)
            ended = time.monotonic()
            self._next = ended + max(_PAUSE, _SHARE * (ended - began))
        return self._run


def _state(run: RecordedRun) -> dict[str, Any]:
    columns = run.columns()
    outcome = columns.meta["outcome"]
    seconds = round(known_end(columns), 3)
    return {"running": outcome == "running", "outcome": outcome, "rows": len(columns.node), "seconds": seconds}


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    shown: _View
    prefix: str
    hosts: tuple[str, ...]
    timeout = _PATIENCE
    server_version = "graflow-fast"
    sys_version = ""

    def do_GET(self) -> None:
        """Give the page or its news to who may have it."""
        if not self._is_for_here() or not self._is_known():
            self._give(HTTPStatus.FORBIDDEN, b"Open the address that graflow-fast serve printed.\n", "text/plain")
            return
        name = self.path[len(self.prefix) :]
        give: dict[str, tuple[Callable[[], bytes], str]] = {
            "": (self.shown.page, "text/html"),
            "state": (lambda: json.dumps(self.shown.state()).encode(), "application/json"),
        }
        if name not in give:
            self._give(HTTPStatus.NOT_FOUND, b"There is nothing of that name.\n", "text/plain")
            return
        make, kind = give[name]
        try:
            self._give(HTTPStatus.OK, make(), kind)
        except (GraflowError, ValueError, OSError) as error:
            if isinstance(error, ConnectionError):  # the browser has gone
                return
            self._give(HTTPStatus.INTERNAL_SERVER_ERROR, json.dumps({"error": str(error)}).encode(), "application/json")

    def _is_known(self) -> bool:
        return hmac.compare_digest(self.path[: len(self.prefix)].encode(), self.prefix.encode())

    def _is_for_here(self) -> bool:
        """Say whether the browser means this machine: another site's name may have been made to lead here."""
        return self.headers.get("Host") in self.hosts

    def _give(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing of requests."""
