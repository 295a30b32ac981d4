"""Owns how things are measured: each contestant in a process of its own, run in turns, so that runs come in pairs.

A contestant is a class with `run(size) -> value in the row's unit` (or a mapping with "value" and further notes) and
`close()`. It is opened once, warmed up, and then takes its turn in every repetition. A process of its own keeps one
library's threads, signal handlers and garbage out of the others' figures, and lets one that hangs be ended.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

WORKERS = 2
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Entry:
    """One contestant of a row. `heavy` ones (servers in the background) run after the others, alone with the first."""

    label: str
    target: str  # "module:Class"; the module `__main__` is the program's own
    size: int
    params: Mapping[str, Any] = field(default_factory=dict)
    heavy: bool = False
    warm: int | None = None  # size of the run that warms up; None: a tenth; 0: none
    runs: int | None = None  # at most so many measured runs
    patience: float | None = None  # seconds for one answer; None: those of the bench
    program: str = "contest.py"  # what its process runs: a file of this folder that calls `sit`
    free: bool = False  # on Python without the interpreter lock, as `make test-all` has it


@dataclass(frozen=True)
class Goal:
    """What the row asks of entry `ours`: its value, or its ratio to `against`, is at most / at least `bound`.

    With `noted` it is asked of the figure that the entry notes under this name beside its value.
    """

    text: str
    ours: str
    bound: float
    against: str | None = None
    at_least: bool = False
    noted: str | None = None


@dataclass(frozen=True)
class Row:
    """A line of the budgets: who takes part, in what unit, and what is asked."""

    key: str
    work: str
    unit: str
    entries: list[Entry]
    goals: list[Goal]
    runs: int = 5
    note: str = ""
    totals: bool = False  # figures belong to the whole size, so only equal sizes are compared
    beside: str | None = None  # the entry that everything asked of this row is compared with as well: a loop by hand
    background: float = 0.0  # cores that other programs kept busy just before


@dataclass
class Outcome:
    """What one entry did: a value per repetition (None where it didn't run), or why there is none."""

    label: str
    size: int
    values: list[float | None] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)
    error: str | None = None


class Unavailable(Exception):
    """This contestant can't run here; the message says why."""


class Seat:
    """The process in which one contestant lives, seen from outside."""

    def __init__(self, entry: Entry, patience: float) -> None:
        self._patience = entry.patience or patience
        python = free_python() if entry.free else sys.executable
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._folder = tempfile.TemporaryDirectory()  # graflow, for one, makes folders where it runs
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            [python, str(HERE / entry.program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            cwd=self._folder.name,
            start_new_session=True,
        )
        try:
            self.ask({"open": entry.target, "params": dict(entry.params)})
        except BaseException:
            self.close()
            raise

    def ask(self, question: Mapping[str, Any]) -> Any:
        """Put one question and wait for its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise Unavailable(self._last_words()) from error
        ready, _, _ = select.select([self._process.stdout], [], [], self._patience)
        if not ready:
            raise Unavailable(f"no answer within {self._patience:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable(self._last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise Unavailable(answer["error"])
        return answer["value"]

    def close(self) -> None:
        """End the contestant, politely first, then its whole process group."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()
        self._folder.cleanup()

    def _last_words(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = [line for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return f"its process ended ({self._process.returncode}): {without_paths(lines[-1]) if lines else 'silently'}"


def hold(row: Row, log: Callable[[str], None], patience: float = 60) -> list[Outcome]:
    """Run all entries of a row in turns; the first one also goes along with each heavy entry."""
    outcomes = [Outcome(entry.label, entry.size) for entry in row.entries]
    indexed = list(enumerate(row.entries))
    light = [index for index, entry in indexed if not entry.heavy]
    heavy = [index for index, entry in indexed if entry.heavy]
    _take_turns(row, light, outcomes, log, patience)
    reference = [index for index in light[:2] if outcomes[index].error is None]
    for index in heavy:
        _take_turns(row, [*reference, index], outcomes, log, patience)
    _level(outcomes)
    return outcomes


def _level(outcomes: list[Outcome]) -> None:
    """Let every entry have a place for each repetition, so that those of one repetition can be paired."""
    most = max((len(outcome.values) for outcome in outcomes), default=0)
    for outcome in outcomes:
        outcome.values.extend([None] * (most - len(outcome.values)))


def _take_turns(
    row: Row, members: list[int], outcomes: list[Outcome], log: Callable[[str], None], patience: float
) -> None:
    seats: dict[int, Seat] = {}
    _level(outcomes)
    try:
        for index in members:
            entry = row.entries[index]
            try:
                seats[index] = Seat(entry, patience)
                warm = max(1, entry.size // 10) if entry.warm is None else entry.warm
                if warm:
                    seats[index].ask({"run": warm})
            except Unavailable as error:
                _give_up(outcomes[index], seats.pop(index, None), error)
        for repetition in range(row.runs):
            for index in members:
                outcome, value = outcomes[index], None
                limit = row.entries[index].runs
                if index in seats and (limit is None or repetition < limit):
                    try:
                        value = _one(seats[index], row.entries[index], outcome)
                    except Unavailable as error:
                        _give_up(outcome, seats.pop(index), error)
                outcome.values.append(value)
    finally:
        for seat in seats.values():
            seat.close()
    for index in members:
        reason = outcomes[index].error
        log(f"  {row.key} {outcomes[index].label}: " + (f"not available: {reason}" if reason else "measured"))


def _one(seat: Seat, entry: Entry, outcome: Outcome) -> float:
    answer = seat.ask({"run": entry.size})
    if isinstance(answer, dict):
        outcome.notes = {name: value for name, value in answer.items() if name != "value"}
        answer = answer["value"]
    return float(answer)


def _give_up(outcome: Outcome, seat: Seat | None, error: Unavailable) -> None:
    outcome.error = str(error)
    if seat is not None:
        seat.close()


def free_python() -> str:
    """The interpreter without the lock in whose environment `make test-all` has tested this package."""
    folder = Path(os.environ.get("CACHE", Path.home() / ".cache" / "graflow-fast"), "environments")
    found = sorted(folder.glob("*t-*/bin/python"))
    if not found:
        raise Unavailable("there is no Python without the interpreter lock here: make test-all")
    return str(found[-1])


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return without_paths(f"{type(error).__name__}: {lines[0] if lines else ''}").strip()[:160]


def without_paths(text: str) -> str:
    """Drop absolute paths: reasons are printed in a page that belongs to no machine."""
    return re.sub(r"\s*\(?(?<![\w.])/[\w.-]+/[^\s'\")]*\)?", "", text)


def stopwatch(work: Callable[[], object]) -> float:
    """Seconds that `work` takes, after a full garbage collection."""
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def sit() -> None:
    """Be the contestant: read questions from stdin, answer on stdout; whatever bodies print goes nowhere."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    contestant: Any = None
    for line in questions:
        question = json.loads(line)
        try:
            if "open" in question:
                module, name = question["open"].split(":")
                contestant = getattr(importlib.import_module(module), name)(**question["params"])
                answer: dict[str, Any] = {"value": None}
            else:
                answer = {"value": contestant.run(question["run"])}
        except BaseException as error:
            answer = {"error": _first_line(error)}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
    if contestant is not None:
        contestant.close()


if __name__ == "__main__":
    sit()
