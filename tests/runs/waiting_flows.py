"""Workflows whose bodies wait for signs of a test."""

from __future__ import annotations

from typing import Any

from signs import Signs

from graflow_fast import task, workflow
from graflow_fast.core.workflow import WorkflowContext


def steps(signs: Signs, **options: Any) -> WorkflowContext:
    """A task that waits for a sign, between two that don't."""
    with workflow("steps", **options) as wf:

        @task
        def load() -> int:
            return 1

        @task
        def work() -> int:
            signs.leave("begun")
            signs.await_("go on")
            return 2

        @task
        def store() -> int:
            return 3

        load >> work >> store
    return wf


def members(signs: Signs) -> WorkflowContext:
    """A group of two that never end by themselves, and one task behind it."""
    with workflow("members") as wf:

        @task
        def load() -> int:
            return 1

        @task
        def work(name: str) -> None:
            signs.leave(name)
            signs.await_("never")

        @task
        def store() -> None:
            signs.leave("stored")

        load >> (work(task_id="a", name="a") | work(task_id="b", name="b")) >> store
    return wf
