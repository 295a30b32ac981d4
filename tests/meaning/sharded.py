"""Runs shards of the random programs in processes of their own, beside the other tests.

`python -m meaning.sharded 3` is one of them. They belong to a process that is no child of the one that asked for them,
since many tests look at what children they have. Owns processes and what they report, nothing of programs.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

from . import suite

BEHIND = "behind"
HURRY = b"h"


class Shards:
    """Shards under way: one at a time behind everything else, and one on each core once somebody waits for them."""

    def __init__(self, numbers: list[int]) -> None:
        tests = Path(__file__).parent.parent
        paths = os.pathsep.join(dict.fromkeys([str(tests), *filter(None, sys.path)]))
        counts = {"GRAFLOW_FAST_SEED": str(suite.SEED), "GRAFLOW_FAST_PROGRAMS": str(suite.PROGRAMS)}
        control, self._control = os.pipe()
        self._results, results = os.pipe()
        words = [BEHIND, str(control), str(results), *map(str, numbers)]
        subprocess.run(
            [sys.executable, "-m", "meaning.sharded", *words],
            env={**os.environ, **counts, "PYTHONPATH": paths},
            pass_fds=(control, results),
            check=True,
        )
        os.close(control)
        os.close(results)
        self._said = b""
        self._found: dict[int, tuple[int, str]] = {}

    def result(self, number: int) -> tuple[int, str]:
        """The exit code of a shard and what it said, once it has ended.

        Raises:
            RuntimeError: who runs them is gone.
        """
        os.write(self._control, HURRY)
        while number not in self._found:
            said = os.read(self._results, 65536)
            if not said:
                raise RuntimeError("the process that runs the shards is gone")
            *lines, self._said = (self._said + said).split(b"\n")
            for line in lines:
                which, code, text = json.loads(line)
                self._found[which] = code, text
        return self._found[number]

    def close(self) -> None:
        """End what is still running."""
        os.close(self._control)
        os.close(self._results)


class Behind:
    """Runs shards until all have ended, or whoever asked for them is gone."""

    def __init__(self, control: int, results: int, numbers: list[int]) -> None:
        self.control = control
        self.results = results
        self.waiting = deque(numbers)
        self.running: set[subprocess.Popen[str]] = set()
        self.lock = threading.Lock()
        self.threads: list[threading.Thread] = []

    def run(self) -> None:
        """Do so; each byte on `control` is somebody who waits, its end the end of the others."""
        self._begin()
        while os.read(self.control, 1):
            while len(self.threads) < len(os.sched_getaffinity(0)):
                self._begin()
        self.waiting.clear()
        for process in list(self.running):
            with contextlib.suppress(ProcessLookupError):
                process.terminate()

    def _begin(self) -> None:
        thread = threading.Thread(target=self._work, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while True:
            try:
                number = self.waiting.popleft()
            except IndexError:
                return
            process = subprocess.Popen(
                [sys.executable, "-m", "meaning.sharded", str(number)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.running.add(process)
            said, _ = process.communicate()
            line = json.dumps([number, process.returncode, said]).encode() + b"\n"
            with self.lock, contextlib.suppress(BrokenPipeError):
                while line:
                    line = line[os.write(self.results, line) :]


def behind(control: int, results: int, numbers: list[int]) -> None:
    """Run shards in a process that nobody waits for, with what the machine has left."""
    if os.fork():
        return
    os.setsid()
    os.nice(19)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    Behind(control, results, numbers).run()


def main(number: int) -> int:
    """Compare the programs of one shard; the last line says how many in which placement."""
    from graflow_fast._run import driver

    driver.CANCEL_GRACE = 60.0  # as in `conftest`
    try:
        check = suite.agree if suite.EVERYWHERE else suite.agree_in_two
        suite.explore(check, number, thorough=suite.agree)
    except suite.Differs as error:
        print(error)
        return 1
    print(json.dumps(dict(suite.compared)))
    return 0


if __name__ == "__main__":
    if sys.argv[1] == BEHIND:
        control, results, *numbers = map(int, sys.argv[2:])
        sys.exit(behind(control, results, numbers))
    sys.exit(main(int(sys.argv[1])))
