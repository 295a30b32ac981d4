"""A group of members, for callgrind: `counted.py noop coordinator` under it, or `counted.py noop worker callgrind ...`.

With `busy` each member reads the channel, appends to it and enqueues one more task, as in S4.

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
from graflow_fast.core.task_context import TaskExecutionContext

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


@task(inject_context=True)
def busy(ctx: TaskExecutionContext) -> None:
    channel = ctx.get_channel()
    channel.append("seen", channel.get("base", 0) + 1)
    ctx.next_task(noop(task_id=f"after {ctx.task_id}"))


@task
def mark() -> None:
    os.getpgid(0)


class StartedDirectly:
    """In the place of `ForkServer`: workers are children of this process, each under callgrind."""

    def __init__(self, environment: dict[str, str], boot: dict[str, object]) -> None:
        self.exits: dict[int, tuple[int, int]] = {}
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def fork(self, number: int, boot: dict[str, object], fds: list[int]) -> None:
        news = os.eventfd(0)  # the template would tell by it that it has moved output
        given = [*fds, news]
        code = _WORKER.format(path=boot["path"], parent=os.getpid(), boot=dict(boot), fds=given)
        self._children[number] = subprocess.Popen([*sys.argv[3:], sys.executable, "-c", code], pass_fds=given)
        os.close(news)

    def preload(self, module: str) -> None:
        """A worker imports what it needs: there is no template to do it before."""

    def forked(self, number: int) -> tuple[int, int]:
        pid = self._children[number].pid
        return pid, os.pidfd_open(pid)

    def has_answered(self, number: int) -> bool:
        return True

    def is_alive(self) -> bool:
        return True

    def forget_exits(self, known: object) -> None:
        """Nobody asks for them again."""

    def end(self, grace: float) -> None:
        for child in self._children.values():
            child.wait()  # its link has ended, and callgrind writes its last file


def run(*parts: tuple[str, int], around: Callable[[], object] = lambda: None) -> None:
    """Run a group of (beginning of names, count) members, part after part; behind each a mark if there are several."""
    with workflow("counted") as flow:
        members: list[Any] = []
        for prefix, count in parts:
            members += [body(task_id=f"{prefix}{i}") for i in range(count)]
            members += [mark(task_id=f"mark {prefix}")] if len(parts) > 1 else []
        parallel(*members)
    around()
    flow.execute(executor="process", max_workers=1)
    around()


if __name__ == "__main__":
    body = {"noop": noop, "busy": busy}[sys.argv[1]]
    if sys.argv[2] == "coordinator":
        # callgrind does not know `pidfd_open`; nothing that ends before its time is waited for here.
        os.pidfd_open = lambda pid, flags=0: os.pipe()[0]
        run(("warm", 100))
        for size in (SMALL, LARGE):
            run((f"of {size}: ", size), around=lambda: os.getpgid(0))
        os._exit(0)
    process_pool.ForkServer = StartedDirectly  # type: ignore[misc,assignment]
    run(("warm", 100))
    run(("first ", 100), ("few ", SMALL), ("many ", LARGE))
    registry.shutdown_all()
