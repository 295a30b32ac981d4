"""The record of one run while it is written: nodes, rows of attempts that ended, what failed, how it ended.

Owns what a record consists of and when it is written. Rows are made in Rust (`rust/record`) from the scheduler's
history; where the parts are kept is the store's business, reading them `_record`'s.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
import warnings
from typing import TYPE_CHECKING, Any

from graflow_fast._core import nodes_as_json, runs_of
from graflow_fast._messages import message_of
from graflow_fast._run.nodes import function_name
from graflow_fast._store import RECORD_STREAM
from graflow_fast.core.task import TaskWrapper

if TYPE_CHECKING:
    from graflow_fast._core import RunWriter, Scheduler
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast._run.settings import Settings
    from graflow_fast._run.spans import Traced
    from graflow_fast.core.task import Executable

#: The first byte of a part says what it is.
HEADER, NODES, MEMBERS, EDGES, ROWS, FAILURES, SKIPPED, END = b"H", b"N", b"M", b"D", b"R", b"F", b"S", b"E"
LIMITS, RENAMED, CACHED = b"L", b"A", b"C"
#: So much goes into a part at most, for parts have a size that they can't be longer than.
_MOST_NODES, _MOST_EDGES, _MOST_FAILURES = 4096, 32_768, 8
#: Seconds between two writes: the most that the record of a killed run lacks.
INTERVAL = 0.5
#: What a store says of runs that did not end well.
_STATES = {"failed": "failed", "canceled": "cancelled"}
#: So many characters of a traceback are kept: its end, where the error is.
_LONGEST_TRACE = 65_536


class Recording:
    """Writes the record of one run."""

    def __init__(
        self,
        writer: RunWriter,
        scheduler: Scheduler,
        nodes: NodeTable,
        settings: Settings,
        workflow: str,
        trace: str,
        began: float | None = None,
    ) -> None:
        """Keep from now on what happens; write nothing before `begin`.

        Args:
            writer: of the run.
            scheduler: whose history it is.
            nodes: what names the scheduler's nodes.
            settings: what the run was asked for.
            trace: its trace id, under which it is known where cached results came from.
            workflow: its name.
            began: of a durable run, which ends by its journal: when it began, on the monotonic clock; None: it is none.
        """
        self._writer = writer
        self._is_durable = began is not None
        self._scheduler = scheduler
        self._nodes = nodes
        self._known = self._edges = self._limits = self._cached = 0
        self._trace = trace
        #: Groups that were told of, and whose members were not.
        self._groups: list[int] = []
        #: What a list of runs shows of it, as JSON; "" before its end.
        self.counts = ""
        self._failures: list[tuple[int, int, int, str, str, str]] = []
        self._began = time.monotonic() if began is None else began
        #: What to take from the time of day for seconds of the monotonic clock.
        self._offset = time.time() - time.monotonic()
        scheduler.begin_record(self._began)
        self._header = {
            "workflow": workflow,
            "pid": os.getpid(),
            "started": self._began + self._offset,
            "executor": settings.resolved_executor(),
            "schedule": settings.schedule,
            "workers": settings.resolved_workers(),
            "max_concurrency": settings.max_concurrency,
            "argv": sys.argv,
            "cwd": _working_directory(),
            "python": sys.version.split()[0],
        }
        self._traced = _begin_traced()
        if self._traced is not None:
            self._header["span"] = self._traced.header
        self._refused: OSError | ValueError | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Write what there is, and from now on what comes.

        A process that goes on with a durable run does so when it has caught up: it tells all of the run again, and
        readers take the last that was told.
        """
        self._writer.append(RECORD_STREAM, HEADER + _json(self._header))
        if self._is_durable:
            self._write()
        else:
            self._write_nodes()
        self._thread = threading.Thread(target=self._write_now_and_then, name="record", daemon=True)
        self._thread.start()

    def chunk_ran(
        self, ticket: int, node: int, branch: int, failed: bool, seconds: float, ended: float | None = None
    ) -> None:
        """Note that items of a map have run together, for so long if they ran in this process; until now, or then."""
        self._scheduler.chunk_ran(ticket, node, branch, failed, seconds, time.monotonic() if ended is None else ended)

    def failed(self, node: int, branch: int, number: int, error: BaseException) -> None:
        """Keep what an attempt failed with; ``number`` is 0 for the first one."""
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))[-_LONGEST_TRACE:]
        message = message_of(error)[:_LONGEST_TRACE]
        self._failures.append((node, branch, number, type(error).__name__, message, trace))

    def _write_now_and_then(self) -> None:
        """Write what there is, in a thread of its own, since the driver's may be in a body for long."""
        while not self._ended.wait(INTERVAL):
            try:
                with self._lock:
                    self._write()
            except (OSError, ValueError) as error:  # the disk is full or gone, which is no reason to stop the run
                self._refused = error
                return

    def end(self, outcome: str, error: BaseException | None) -> None:
        """Write the rest, and how the run ended; a disk that refuses is a warning."""
        if self._traced is not None:
            self._traced.end()
        if self._thread is None:  # it could not begin
            return
        self._ended.set()
        self._thread.join()
        try:
            if self._refused is not None:
                raise self._refused
            self._write_end(outcome, error)
        except (OSError, ValueError) as refused:
            warnings.warn(f"The record of this run is not complete: {refused}", RuntimeWarning, stacklevel=2)

    def _write_end(self, outcome: str, error: BaseException | None) -> None:
        now = time.monotonic()
        self._write(now)
        counts = dict(
            zip(
                ("completed", "failed", "retried", "abandoned", "under_way"),
                self._scheduler.record_counts() or (),
                strict=False,
            )
        )
        skipped = self._scheduler.skipped()
        for place in range(0, len(skipped), _MOST_EDGES):
            self._writer.append(RECORD_STREAM, SKIPPED + _json(skipped[place : place + _MOST_EDGES]))
        message = None if error is None else f"{type(error).__name__}: {message_of(error)}"[:_LONGEST_TRACE]
        end = {"outcome": outcome, "error": message, "ended": now - self._began, "counts": counts}
        self._writer.append(RECORD_STREAM, END + _json(end))
        self.counts = _json({**counts, "skipped": len(skipped)}).decode()
        if not self._is_durable:
            self._writer.finish(_STATES.get(outcome, "finished"), self.counts)

    def _write(self, now: float | None = None) -> None:
        chunks = self._scheduler.take_rows(now)
        self._write_nodes()
        for chunk in chunks:
            self._writer.append(RECORD_STREAM, ROWS + chunk)
        while self._failures:
            some = self._failures[:_MOST_FAILURES]
            del self._failures[: len(some)]  # others may have come behind them
            self._writer.append(RECORD_STREAM, FAILURES + _json(some))
        self._write_cached()

    def _write_cached(self) -> None:
        """Write where results of cached tasks came from, as far as it is new."""
        origins = sys.modules.get("graflow_fast._body.origins")  # not there if no task of this program is cached
        found = [] if origins is None else origins.since(self._trace, self._cached)
        self._cached += len(found)
        for place in range(0, len(found), _MOST_NODES):
            some = [(task, *origin) for task, origin in found[place : place + _MOST_NODES]]
            self._writer.append(RECORD_STREAM, CACHED + _json(some))

    def _write_nodes(self) -> None:
        """Write the nodes and edges that have come since the last time."""
        nodes = self._nodes
        count = min(len(nodes.names), len(nodes.tasks))  # the driver may be about to add one
        while self._known < count:
            first, last = self._known, min(self._known + _MOST_NODES, count)
            self._known = last
            part, groups = nodes_as_json(nodes.names, nodes.tasks, (first, last), TaskWrapper, _describe)
            self._writer.append(RECORD_STREAM, NODES + part)
            self._groups += groups
        complete = [group for group in self._groups if group in nodes.members]
        self._groups = [group for group in self._groups if group not in nodes.members]
        for group in complete:
            runs = runs_of(nodes.members[group])
            for place in range(0, len(runs) or 1, _MOST_EDGES):
                self._writer.append(RECORD_STREAM, MEMBERS + _json([group, runs[place : place + _MOST_EDGES]]))
        while nodes.renamed:
            renamed = nodes.renamed[:_MOST_NODES]
            del nodes.renamed[: len(renamed)]  # the driver may have added others behind them
            told = [(rows, node, name, function_name(task)) for rows, node, name, task in renamed]
            self._writer.append(RECORD_STREAM, RENAMED + _json(told))
        self._write_limits()
        edges = self._scheduler.edges_from(self._edges)
        self._edges += len(edges)
        for place in range(0, len(edges), _MOST_EDGES):
            some = [node for edge in edges[place : place + _MOST_EDGES] for node in edge]
            self._writer.append(RECORD_STREAM, EDGES + _json(some))

    def _write_limits(self) -> None:
        """Write which nodes have a priority or must wait for others, and what for, as far as it is new."""
        lanes = self._nodes.lanes
        known = len(lanes.options)
        while self._limits < known:
            last = min(self._limits + _MOST_NODES, known)
            options = [[node, *some] for node, some in list(lanes.options.items())[self._limits : last]]
            part = {"options": options, "lanes": list(lanes.made), "totals": lanes.totals()}
            self._limits = last
            self._writer.append(RECORD_STREAM, LIMITS + _json(part))


def _describe(task: Executable) -> tuple[str, str]:
    """Return which kind of node a task is, and what its function is called."""
    return "g" if task.is_group else "m" if task.is_map else "t", function_name(task)


def _begin_traced() -> Traced | None:
    if "opentelemetry.trace" not in sys.modules:
        return None
    from graflow_fast._run.spans import Traced

    return Traced.begin()


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it is gone
        return None


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
