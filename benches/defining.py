"""Owns rows S12 and M4: defining tasks, edges and groups; nothing is run. `python benches/defining.py` prints them.

Each figure is the best of several, each in a process of its own, in processor time: what was defined before, and what
else the machine does, must not count. `s12` and `m4` return the figures.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

#: What each row asks for: µs an instance, an edge, a member; seconds and megabytes of the large graph.
GOALS = {"instance": 1.2, "edge": 0.5, "member": 0.2, "seconds": 2.5, "megabytes": 250}
SIZES = (1_000, 100_000, 1_000_000)


def instance(size: int) -> float:
    """Return the µs of ``t(task_id=..., n=i)``; the names are there already."""
    from graflow_fast import task, workflow

    names = [f"t{number}" for number in range(size)]
    with workflow("w"):

        @task
        def t(n: int) -> None: ...

        return _timed(lambda: [t(task_id=name, n=number) for number, name in enumerate(names)], size)


def edge(size: int) -> float:
    """Return the µs of ``a >> b``, in a chain of as many tasks."""
    tasks = _tasks(size)

    def compose() -> None:
        for source, target in itertools.pairwise(tasks):
            source >> target

    return _timed(compose, size)


def member(size: int) -> float:
    """Return the µs of one member of ``parallel(...)``."""
    from graflow_fast import parallel

    tasks = _tasks(size)
    return _timed(lambda: parallel(*tasks), size)


def graph(size: int) -> tuple[float, float]:
    """Define tasks that each follow the three before; return seconds, and megabytes of the process at its peak."""
    from graflow_fast import task, workflow

    started = time.process_time()
    with workflow("w"):

        @task
        def t(n: int) -> None: ...

        tasks = [t(task_id=f"t{number}", n=number) for number in range(size)]
        for number in range(3, size):
            target = tasks[number]
            tasks[number - 1] >> target
            tasks[number - 2] >> target
            tasks[number - 3] >> target
    seconds = time.process_time() - started
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def s12(quick: bool = False, repeat: int = 5) -> dict[str, dict[int, float]]:
    """Return the µs of an instance, an edge and a member, by size."""
    sizes = SIZES[:2] if quick else SIZES
    return {what: {size: _best(what, size, repeat) for size in sizes} for what in ("instance", "edge", "member")}


def m4(quick: bool = False, repeat: int = 3) -> dict[str, float]:
    """Return the seconds and the megabytes of a graph of a million tasks and three million edges (quick: a tenth)."""
    runs = [_apart("graph", 100_000 if quick else 1_000_000) for _ in range(repeat)]
    return {"seconds": min(seconds for seconds, _ in runs), "megabytes": min(megabytes for _, megabytes in runs)}


def _tasks(size: int) -> list[object]:
    from graflow_fast import task, workflow

    flow = workflow("w").__enter__()  # stays current until the process ends
    assert not flow.graph.nodes

    @task
    def t(n: int) -> None: ...

    return [t(task_id=f"t{number}", n=number) for number in range(size)]


def _timed(act: Callable[[], object], size: int) -> float:
    started = time.process_time()
    kept = act()
    taken = time.process_time() - started
    del kept
    return taken / size * 1e6


def _best(what: str, size: int, repeat: int) -> float:
    return min(_apart(what, size) for _ in range(repeat))


def _apart(what: str, size: int) -> object:
    """Measure in a process of its own; what is small several times there, since the first time is another thing."""
    rounds = max(1, 20_000 // size)
    text = f"import json, defining; print(json.dumps(min(defining.{what}({size}) for _ in range({rounds}))))"
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    return json.loads(done.stdout)


def main() -> None:
    """Print both rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    for what, by_size in s12(options.quick).items():
        figures = ", ".join(f"{size:,}: {taken:.2f}" for size, taken in by_size.items())
        print(f"S12 {what:9} goal {GOALS[what]} µs   {figures}")
    found = m4(options.quick)
    print(f"M4  graph     goal {GOALS['seconds']} s, {GOALS['megabytes']} MB   ", end="")
    print(f"{found['seconds']:.2f} s, {found['megabytes']:.0f} MB")


if __name__ == "__main__":
    main()
