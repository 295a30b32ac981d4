"""Runs a program durable in processes that are killed, and resumes it until it is done.

`python -m meaning.killed` is who forks those processes, since nobody with threads may: it is asked by `run_killed` and
answers with what it saw. Owns where runs are killed and what is noted of their bodies. Must not know the model.
"""

from __future__ import annotations

import atexit
import importlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import IO, Any

from .program import Group, Map, Outcome, Program, Task
from .scripts import Step

#: In memory: what is shown here does not depend on the disk, and there are hundreds of stores.
MEMORY = Path("/dev/shm")
#: Where a process is killed: in the n-th body that begins in it ("body"), or at its n-th entry ("entry").
Point = tuple[str, int]
#: Among so many points at entries the first, the second and the third process is killed.
MOST_POINTS = (12, 6, 3)
#: Where bodies run: mostly where one at a time is under way, so that it is known exactly which may run again.
EXECUTORS = ("inline",) * 12 + ("thread", "auto", "process(2)")
#: What children tell that they have imported.
OURS = "graflow_fast"


@dataclass(frozen=True)
class Survivor:
    """What is seen of a run that was killed and resumed."""

    outcome: Outcome
    executor: str
    #: How often it was killed, and where: a text for people.
    kills: tuple[str, ...]
    #: How often each body has begun, in all processes.
    bodies: Counter[str]
    #: Whether only one body was under way at any time, so that no more can have run again than it was killed.
    one_at_a_time: bool


def noting(program: Program, folder: Path) -> Program:
    """The program with bodies that note in a file that they have begun."""
    return with_steps(program, lambda _, steps: (("note", str(folder)), *steps))


def with_steps(program: Program, change: Any) -> Program:
    """The program with other steps, in what its bodies make as well."""

    def changed_steps(name: str, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(changed_step(step) for step in change(name, steps))

    def changed_step(step: Step) -> Step:
        made = step[0] in ("next", "share") and isinstance(step[1], tuple)
        return (step[0], changed_part(step[1]), *step[2:]) if made else step

    def changed_part(part: Any) -> Any:
        if part[0] == "task":
            name, steps, *rest = part[1]
            return "task", (name, changed_steps(name, steps), *rest)
        if part[0] == "chain":
            return "chain", tuple(map(changed_part, part[1]))
        return (*part[:2], tuple(map(changed_part, part[2])), *part[3:])

    nodes = []
    for node in program.nodes:
        if isinstance(node, Map):
            node = replace(node, task=replace(node.task, steps=changed_steps(node.task.id, node.task.steps)))
        elif isinstance(node, Task):
            node = replace(node, steps=changed_steps(node.id, node.steps))
        else:
            assert isinstance(node, Group)
        nodes.append(node)
    return replace(program, nodes=tuple(nodes))


def noted(folder: Path) -> Counter[str]:
    """How often each body has begun."""
    file = folder / "bodies"
    return Counter(file.read_text().splitlines()) if file.exists() else Counter()


# --- in the process that asks


class _Forks:
    """The process that forks, started when it is first asked."""

    def __init__(self) -> None:
        paths = os.pathsep.join(dict.fromkeys([str(Path(__file__).parent.parent), *filter(None, sys.path)]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "meaning.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
        )
        atexit.register(self.close)

    def ask(self, *question: Any) -> Survivor:
        """What became of a program that was killed and resumed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump(question, self._process.stdin)
        self._process.stdin.flush()
        answer = pickle.load(self._process.stdout)
        if isinstance(answer, str):
            raise RuntimeError(answer)
        assert isinstance(answer, Survivor)
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


_forks: list[_Forks] = []


def run_killed(program: Program, executor: str | None = None, points: tuple[Point, ...] | None = None) -> Survivor:
    """Run a program that is killed and resumed until it is done; where, and at which points, follows from it."""
    if not _forks:
        _forks.append(_Forks())
    return _forks[0].ask(program, executor, points)


# --- in the process that forks


def points_of(random: Random) -> tuple[Point, ...]:
    """Where a run is killed, unless it ends before: later processes have less to do."""
    return tuple(
        ("body", random.randrange(4)) if random.random() < 0.3 else ("entry", random.randrange(most))
        for most in MOST_POINTS
    )


class Killer:
    """Kills this process at the n-th end that is written down: before that (even numbers) or after it (odd ones)."""

    def __init__(self, point: int) -> None:
        from graflow_fast._run.journal.journal import Journal

        self._left = point

        def watched(entry: tuple[Any, ...], is_written: bool) -> None:
            if not is_written or entry[0] != "end":  # a run that has failed is another one when it goes on: all again
                self._step()

        Journal.watch = staticmethod(watched)

    def _step(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def attempt(program: Program, executor: str, folder: Path, point: Point | None) -> str | None:
    """Begin the program, or go on with it, in a child; say what it was killed at, None if it ended."""
    child = os.fork()
    if child == 0:
        try:
            _in_child(program, executor, folder, point)
        except BaseException:
            import traceback

            (folder / "error").write_text(traceback.format_exc())
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        return None
    assert os.WTERMSIG(status) == signal.SIGKILL, f"the run died of signal {os.WTERMSIG(status)}"
    return None if point is None else f"{point[0]} {point[1]}"


def _in_child(program: Program, executor: str, folder: Path, point: Point | None) -> None:
    from graflow_fast._run import driver

    from .running import run

    driver.CANCEL_GRACE = 60.0  # as in `conftest`
    begun = sum(noted(folder).values())
    last = begun + point[1] + 1 if point is not None and point[0] == "body" else 0
    (folder / "kill").write_text(f"{os.getpid()} {last}")
    if point is not None and point[0] == "entry":
        Killer(point[1])
    warnings.simplefilter("ignore")
    outcome = run(noting(program, folder), executor, {"durable": folder / "runs.db", "run": "r"})
    (folder / "outcome").write_bytes(pickle.dumps((outcome, [name for name in sys.modules if name.startswith(OURS)])))


def survive(program: Program, executor: str | None = None, points: tuple[Point, ...] | None = None) -> Survivor:
    """Run a program that is killed again and again."""
    random = Random(zlib.crc32(repr(program).encode()))
    executor = executor or random.choice(EXECUTORS)
    kills: list[str] = []
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        for point in (*(points_of(random) if points is None else points), None):
            killed_at = attempt(program, executor, folder, point)
            if killed_at is None:
                break
            kills.append(killed_at)
        error = folder / "error"
        if error.exists():
            raise RuntimeError(f"{executor}, killed at {kills}:\n{error.read_text()}")
        if not (folder / "outcome").exists():
            raise RuntimeError(f"{executor}, killed at {kills}: no outcome")
        outcome, modules = pickle.loads((folder / "outcome").read_bytes())
        for module in modules:  # so that the next children need not
            importlib.import_module(module)
        alone = executor == "inline" and "'handler'" not in repr(program)
        return Survivor(outcome, executor, tuple(kills), noted(folder), alone)


def answer_all(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answer until nobody asks any more."""
    from . import running  # noqa: F401 - once for all children

    while True:
        try:
            question = pickle.load(questions)
        except EOFError:
            return
        try:
            answer: Any = survive(*question)
        except Exception as error:
            answer = str(error)
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    # Bodies write to standard output, so the answers leave by another way.
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from meaning.killed import answer_all as answer  # that classes have the names under which they are asked for

    answer(sys.stdin.buffer, own)
