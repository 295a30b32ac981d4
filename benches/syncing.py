"""A program that row D5 runs under `strace`: ``syncing.py chain|group|dbos SIZE``. Owns nothing but that."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import surviving


def main() -> None:
    """Run a workflow of so many tasks, none of which is lost with the power."""
    kind, size = sys.argv[1], int(sys.argv[2])
    if kind == "dbos":
        import os

        os.chdir(tempfile.mkdtemp())
        peer = surviving.Dbos()
        peer.run(size)
        peer.close()
        return
    import graflow_fast

    folder = Path(tempfile.mkdtemp())
    with graflow_fast.workflow("syncs") as flow:
        step = graflow_fast.task(surviving.noop)
        tasks = [step(task_id=f"n{i}") for i in range(size)]
        graflow_fast.chain(*tasks) if kind == "chain" else graflow_fast.parallel(*tasks)
    executor = "inline" if kind == "chain" else "process"
    flow.execute(durable=folder / "runs.db", sync="power", executor=executor, max_workers=2)


if __name__ == "__main__":
    main()
