"""Records made by hand: a small language for rows, and a few runs whose answers are known."""

from __future__ import annotations

from collections.abc import Iterable
from math import nan

from graflow_fast._record.columns import COMPLETED, GROUP, NOBODY, TASK, Columns
from graflow_fast._record.run import RecordedRun


class Recorder:
    """Builds the columns of a run, row by row, in the order of their end."""

    def __init__(self, **meta: object) -> None:
        known: dict[str, object] = {
            "workflow": "census", "run": None, "pid": 4711, "started": 1_790_000_000.0, "ended": None,
            "executor": "auto", "schedule": "parallel", "workers": 2, "outcome": "completed", "error": None,
            "argv": ["census.py"], "cwd": "/home/ann", "python": "3.11.7", "version": "0.1.0",
        }  # fmt: skip
        self.columns = Columns(known | meta, kinds=bytearray(), outcome=bytearray())
        self._numbers: dict[str, int] = {}

    def node(self, name: str, function: str | None = None, kind: int = TASK) -> int:
        """A node's number, made when it is first named. Its function is the name up to the last underline."""
        if name not in self._numbers:
            self._numbers[name] = len(self._numbers)
            self.columns.names.append(name)
            plain = "" if kind == GROUP else name.rpartition("_")[0] or name
            self.columns.functions.append(plain if function is None else function)
            self.columns.kinds.append(kind)
        return self._numbers[name]

    def group(self, name: str, members: Iterable[str]) -> None:
        self.columns.members[self.node(name, kind=GROUP)] = [self.node(member) for member in members]

    def edge(self, source: str, target: str) -> None:
        self.columns.edges.extend((self.node(source), self.node(target)))

    def row(
        self, name: str, start: float = nan, end: float = nan, *, by: str | None = None, ready: float | None = None,
        outcome: int = COMPLETED, attempt: int = 1, branch: int = 0, worker: int = 0,
        error: tuple[str, str, str] | None = None,
    ) -> None:  # fmt: skip
        columns = self.columns
        if error is not None:
            columns.errors[len(columns.node)] = error
        columns.node.append(self.node(name))
        columns.branch.append(branch)
        columns.attempt.append(attempt)
        columns.outcome.append(outcome)
        columns.worker.append(worker if start == start else NOBODY)
        columns.released_by.append(-1 if by is None else self.node(by))
        columns.ready.append(start if ready is None else ready)
        columns.start.append(start)
        columns.end.append(end)

    def run(self, **meta: object) -> RecordedRun:
        self.columns.meta.update(meta)
        return RecordedRun(self.columns)


def census(batches: int = 4) -> RecordedRun:
    """list > batches on two workers > report; the second batch is by far the slowest, the third is tried twice."""
    made = Recorder()
    names = [f"batch_{number:03}" for number in range(batches)]
    made.row("list_files", 0.0, 0.3, worker=-1, ready=0.0)
    made.group("batches", names)
    made.edge("list_files", "batches")
    made.edge("batches", "build_report")
    made.row(names[0], 0.3, 0.8, by="list_files", ready=0.3, branch=1, worker=0)
    lost = (
        "ConnectionError",
        "reset",
        'Traceback (most recent call last):\n  File "/home/ann/census.py", line 7, in get\n',
    )
    made.row(names[2], 0.8, 1.0, by="list_files", ready=0.3, branch=3, worker=0, outcome=2, error=lost)
    made.row(names[2], 1.5, 2.0, by="list_files", ready=1.4, branch=3, worker=0, attempt=2)
    time = 2.0
    for number, name in enumerate(names[3:], 4):
        made.row(name, time, time + 0.5, by="list_files", ready=0.3, branch=number, worker=0)
        time += 0.5
    slow_end = max(time, 58.4)
    made.row(names[1], 0.3, slow_end, by="list_files", ready=0.3, branch=2, worker=1)
    made.row("batches", by="list_files", ready=0.3)
    made.row("build_report", slow_end + 0.1, slow_end + 2.5, by="batches", ready=slow_end + 0.1, worker=-1)
    return made.run(ended=slow_end + 2.6)
