"""What ends in a durable run when nothing depends on it any more."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from graflow_fast import task, workflow
from graflow_fast._run.attempts.outcomes import Outcomes
from graflow_fast.core.workflow import WorkflowContext


def test_what_ends_when_it_has_been_given_up_is_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member that reports in the moment in which one before it ends the run; another process would not begin it."""
    store = tmp_path / "runs.db"
    ended = threading.Event()
    late: list[Any] = []
    returned = Outcomes.returned

    def in_that_moment(outcomes: Outcomes, attempt: Any, *what: Any) -> None:
        if attempt.base_id == "later" and not late:
            late.append((attempt, *what))
            ended.set()
            return
        returned(outcomes, attempt, *what)
        if attempt.base_id == "first":
            returned(outcomes, *late[0])

    def made() -> WorkflowContext:
        with workflow("ending") as flow:

            @task(inject_context=True)
            def first(ctx: Any) -> int:
                assert ended.wait(60)
                ctx.terminate_workflow("enough")
                return 1

            @task
            def later() -> int:
                return 2

            first | later
        return flow

    with monkeypatch.context() as patch:
        patch.setattr(Outcomes, "returned", in_that_moment)
        _, context = made().execute(durable=store, run="r", executor="thread", max_workers=2, ret_context=True)
    assert late
    _, again = made().execute(durable=store, run="r", ret_context=True)
    assert again.completed_tasks == context.completed_tasks
    assert again.stop_reason == "terminated"
