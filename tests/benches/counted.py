"""A group of no-op members, for callgrind: `counted.py coordinator` under it, or `counted.py worker callgrind ...`.

Either process calls `getpgid` before and after two sizes of the group, and callgrind (`--dump-before=getpgid`) then
writes what it has counted since. In `worker` the pool is the real one but for its template process, which callgrind
doesn't know the system calls of: the worker is started directly.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from graflow_fast import parallel, task, workflow
from graflow_fast._pool import process_pool, registry
from graflow_fast._pool.fork_server import _path

SMALL, LARGE = 200, 1200
_WORKER = """
import sys
sys.path[:] = {path}
from graflow_fast._worker.main import main, preload
preload()
main({parent}, {boot}, *{fds})
"""


@task
def noop() -> None:
    pass


@task
def mark() -> None:
    os.getpgid(0)


class StartedDirectly:
    """In the place of `ForkServer`: workers are children of this process, each under callgrind."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.exits: dict[int, tuple[int, int]] = {}
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def fork(self, number: int, boot: dict[str, object], fds: list[int]) -> None:
        code = _WORKER.format(path=_path(), parent=os.getpid(), boot=dict(boot), fds=list(fds))
        self._children[number] = subprocess.Popen([*sys.argv[2:], sys.executable, "-c", code], pass_fds=fds)

    def forked(self, number: int) -> tuple[int, int]:
        pid = self._children[number].pid
        return pid, os.pidfd_open(pid)

    def is_alive(self) -> bool:
        return True

    def end(self, grace: float) -> None:
        for child in self._children.values():
            child.wait()  # its link has ended, and callgrind writes its last file


def noops(prefix: str, count: int) -> list[Any]:
    return [noop(task_id=f"{prefix}{i}") for i in range(count)]


def run(members: list[Any], around: Callable[[], object] = lambda: None) -> None:
    with workflow("counted") as flow:
        parallel(*members)
    around()
    flow.execute(executor="process", max_workers=1)
    around()


if __name__ == "__main__":
    if sys.argv[1] == "coordinator":
        # callgrind does not know `pidfd_open`; nothing that ends before its time is waited for here.
        os.pidfd_open = lambda pid, flags=0: os.pipe()[0]
        run(noops("warm", 100))
        for size in (SMALL, LARGE):
            run(noops(f"of {size}: ", size), lambda: os.getpgid(0))
        os._exit(0)
    process_pool.ForkServer = StartedDirectly  # type: ignore[misc,assignment]
    run(noops("warm", 100))
    marks = [mark(task_id=f"mark {i}") for i in range(3)]
    run([*noops("first ", 100), marks[0], *noops("few ", SMALL), marks[1], *noops("many ", LARGE), marks[2]])
    registry.shutdown_all()
