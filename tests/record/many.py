"""A run of very many tasks, made in a few seconds: members of five functions on some workers, a thousand failures."""

from __future__ import annotations

import random
from array import array

from graflow_fast._record.columns import GROUP, TASK, Columns
from graflow_fast._record.run import RecordedRun

FUNCTIONS = ("fetch", "parse", "measure", "embed", "store")


def many(tasks: int, workers: int = 8, failures: int = 1000, seed: int = 7) -> RecordedRun:
    """One group of so many members, with times that are as hard to compress as real ones."""
    chance = random.Random(seed)
    now = [0.001] * workers
    outcome = "failed" if failures else "completed"
    known = {"workflow": "many", "run": None, "pid": 1, "started": 1.79e9, "ended": None, "executor": "auto"}
    known |= {"workers": workers, "schedule": "parallel", "outcome": outcome, "error": None, "argv": ["many.py"]}
    columns = Columns(known | {"cwd": "/", "python": "3.11", "version": "0"})
    columns.names = ["start", "all", *(f"{FUNCTIONS[number % 5]}_{number:07}" for number in range(tasks))]
    columns.functions = ["start", "", *(FUNCTIONS[number % 5] for number in range(tasks))]
    columns.kinds = bytes([TASK, GROUP]) + bytes(tasks)
    columns.members = {1: list(range(2, tasks + 2))}
    columns.edges = array("I", (0, 1))
    failed = set(chance.sample(range(tasks), min(failures, tasks)))
    usual = (0.000_02, 0.000_1, 0.000_5, 0.002, 0.000_05)
    rows = []
    for number in range(tasks):
        worker = number % workers
        start = now[worker] + chance.expovariate(1e6)
        end = now[worker] = start + chance.lognormvariate(0, 0.5) * usual[number % 5]
        rows.append((end, number + 2, worker, start))
    rows.sort()
    columns.node = array("I", [0, *(row[1] for row in rows), 1])
    columns.branch = array("Q", [0, *(row[1] for row in rows), 0])
    columns.attempt = array("I", [1]) * (tasks + 2)
    columns.outcome = bytes([0, *(1 if row[1] - 2 in failed else 0 for row in rows), 0])
    columns.worker = array("h", [-1, *(row[2] for row in rows), -2])
    columns.released_by = array("i", [-1]) + array("i", [1]) * tasks + array("i", [0])
    columns.ready = array("d", [0.0]) + array("d", [0.001]) * (tasks + 1)
    nothing = float("nan")
    columns.start = array("d", [0.0, *(row[3] for row in rows), nothing])
    columns.end = array("d", [0.001, *(row[0] for row in rows), nothing])
    trace = 'Traceback (most recent call last):\n  File "/home/ann/many.py", line 7, in measure\nValueError: bad header'
    columns.errors = {row: ("ValueError", "bad header", trace) for row in range(1, tasks + 1) if columns.outcome[row]}
    columns.meta["ended"] = rows[-1][0] + 0.001
    return RecordedRun(columns)
