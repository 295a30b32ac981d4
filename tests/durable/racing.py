"""Races for an unfinished run: two processes want to go on with it at the same moment. ``racing.py FOLDER RACES``.

Prints what went wrong, as JSON lines, and at last how many races there were and how long losers waited at most. A
program of its own: it forks, so it has no threads.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

import graflow_fast._run.driver
import graflow_fast._run.journal.opening
import graflow_fast._run.journal.replay  # noqa: F401 - once for all children
from graflow_fast._run.journal.journal import Journal
from graflow_fast.core.decorators import task
from graflow_fast.core.workflow import WorkflowContext, workflow


def program(folder: Path) -> WorkflowContext:
    """Return two steps, the second of which waits until the other racer has been refused."""
    with workflow("raced") as made:

        @task
        def first() -> int:
            return 1

        @task
        def second(first: int) -> int:
            while not (folder / "refused").exists():
                time.sleep(0.0005)
            return first + 1

        first >> second
    return made


def begin(folder: Path) -> None:
    """Leave an unfinished run behind."""
    child = os.fork()
    if child == 0:
        Journal.watch = staticmethod(
            lambda entry, is_written: is_written and entry[0] == "returned" and os.kill(os.getpid(), signal.SIGKILL)
        )
        program(folder).execute(durable=folder / "runs.db", run="r", executor="inline")
        os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])


def racer(folder: Path, gate: int, said: int) -> int:
    """Start a process that goes on with the run as soon as the gate is closed."""
    child = os.fork()
    if child:
        return child
    warnings.simplefilter("ignore")
    try:
        made = program(folder)
        os.read(gate, 1)
        begun = time.perf_counter()
        try:
            outcome: object = made.execute(durable=folder / "runs.db", run="r", executor="inline")
        except OSError as error:
            outcome = str(error)
            os.write(said, json.dumps([outcome, time.perf_counter() - begun]).encode() + b"\n")
            (folder / "refused").touch()
        else:
            os.write(said, json.dumps([outcome, 0.0]).encode() + b"\n")
    except BaseException:
        os.write(said, json.dumps([traceback.format_exc(), 0.0]).encode() + b"\n")
    os._exit(0)


def race(folder: Path) -> float:
    """Let two processes race; return how long the loser waited, in seconds."""
    begin(folder)
    (gate, close), (answers, said) = os.pipe(), os.pipe()
    racers = [racer(folder, gate, said) for _ in range(2)]
    os.write(close, b"..")
    for each in racers:
        os.waitpid(each, 0)
    for descriptor in (close, said, gate):
        os.close(descriptor)
    with os.fdopen(answers) as lines:
        outcomes = [json.loads(line) for line in lines]
    won = [outcome for outcome, _ in outcomes if outcome == 2]
    refused = [(outcome, seconds) for outcome, seconds in outcomes if outcome != 2]
    tells_who = len(refused) == 1 and any(f"by process {each}" in str(refused[0][0]) for each in racers)
    if len(won) != 1 or not tells_who:
        print(json.dumps({"outcomes": outcomes}), flush=True)
    return max((seconds for _, seconds in refused), default=0.0)


def main() -> None:
    """Hold the races."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    waited = []
    for number in range(count):
        place = folder / str(number)
        place.mkdir()
        waited.append(race(place))
    print(json.dumps({"races": count, "longest": max(waited), "median": sorted(waited)[count // 2]}))


main()
