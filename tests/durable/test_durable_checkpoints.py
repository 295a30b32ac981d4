"""Checkpoints that bodies of durable runs ask for: files as in any run, beside the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graflow_fast import task, workflow
from graflow_fast.core.checkpoint import CheckpointManager
from graflow_fast.core.engine import WorkflowEngine


@pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])
def test_a_durable_run_writes_a_checkpoint_and_another_run_goes_on_from_it(executor: str, tmp_path: Path) -> None:
    asked = tmp_path / "asked"

    @task(inject_context=True)
    def saves(ctx: Any, path: str = str(tmp_path / "saved")) -> int:
        ctx.get_channel().set("before", 1)
        ctx.checkpoint(path=path)
        return 2

    @task
    def after(asked: Path = asked) -> int:
        with asked.open("a", encoding="ascii") as file:
            file.write("x")
        return 3

    with workflow("saved") as wf:
        saves >> after
    _, context = wf.execute(executor=executor, durable=tmp_path / "runs.db", ret_context=True)
    restored, _ = CheckpointManager.resume_from_checkpoint(context.last_checkpoint_path)
    assert restored.get_channel().get("before") == 1
    assert WorkflowEngine().execute(restored) == 3
    assert asked.read_text(encoding="ascii") == "xx"
