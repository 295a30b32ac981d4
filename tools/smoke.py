"""What an installed package must be able to do at least: every placement, a map, a crash. Run by tools/wheels.py."""

from __future__ import annotations

import os
import sys

import graflow_fast
from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import GraflowRuntimeError


def run(executor: str) -> None:
    """Run a workflow with a group, a loop and a task made at run time, and look at what it gives."""
    with workflow("smoke") as flow:

        @task
        def numbers() -> list[int]:
            return [1, 2, 3]

        @task
        def total(numbers: list[int]) -> int:
            return sum(numbers)

        @task(inject_context=True)
        def most(ctx, numbers: list[int]) -> int:  # type: ignore[no-untyped-def]
            ctx.next_task(task("made")(lambda: os.getpid()))
            return max(numbers)

        @task
        def both(total: int, most: int) -> tuple[int, int]:
            return total, most

        _ = numbers >> parallel(total, most) >> both
        found = flow.execute(executor=executor, max_workers=2)
    if found != (6, 3):
        sys.exit(f"smoke: {executor} gave {found!r}")


def crash() -> None:
    """A worker that dies is an error that names the task."""
    with workflow("crash") as flow:
        task("dies")(lambda: os._exit(3))
    try:
        flow.execute(executor="process")
    except GraflowRuntimeError as error:
        if "dies" not in str(error):
            sys.exit(f"smoke: a crash says {error}")
    else:
        sys.exit("smoke: a crash went unnoticed")


if __name__ == "__main__":
    for place in ("inline", "thread", "process", "auto"):
        run(place)
    crash()
    version = sys.version.split()[0] + getattr(sys, "abiflags", "")
    print(f"graflow_fast {graflow_fast.__version__} works on Python {version}")
