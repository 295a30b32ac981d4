"""Tasks that bodies add to a durable run: those made of the program's are today's when the run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graflow_fast import chain, parallel, task, workflow
from graflow_fast.core.workflow import WorkflowContext
from graflow_fast.exceptions import GraflowRuntimeError, JournalMismatchError

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process", "auto"])

#: What is wrong with the program at present.
broken: set[str] = set()


@task
def free(number: int) -> int:
    """A task that no workflow has."""
    if "free" in broken:
        raise ValueError("not yet")
    return number * 1000


def build(wrong: str, ways: str) -> WorkflowContext:
    """Return a workflow whose first body adds tasks in one way or another; one of them may be wrong."""
    broken.clear()
    broken.add(wrong)

    with workflow("adds") as made:

        @task(inject_context=True)
        def start(ctx: Any) -> None:
            one, two = work(task_id="one", number=1), work(task_id="two", number=2)
            if ways == "instance":
                ctx.next_task(one)
                ctx.next_task(two)
                ctx.next_task(last)
            elif ways == "chain":
                ctx.next_task(chain(one, two, last))
            elif ways == "group":
                ctx.next_task(parallel(one, two) >> last)
            elif ways == "goto":
                ctx.next_task(one >> two >> last, goto=True)
            else:
                ctx.next_task(free(task_id="one", number=1) >> free(task_id="two", number=2) >> last)

        @task
        def work(number: int) -> int:
            if wrong == "work":
                raise ValueError("not yet")
            return number * 1000

        @task(inject_context=True)
        def last(ctx: Any) -> list[int]:
            if wrong == "last":
                raise ValueError("not yet")
            return [ctx.get_result("one"), ctx.get_result("two")]

    return made


@EXECUTORS
@pytest.mark.parametrize("ways", ["instance", "chain", "group", "goto", "free"])
@pytest.mark.parametrize("wrong", ["work", "last"])
def test_a_failed_task_that_was_added_goes_on_with_the_code_of_today(
    tmp_path: Path, executor: str, ways: str, wrong: str
) -> None:
    """Whether it is the program's own, an instance of one, or part of something new."""
    wrong = "free" if (ways, wrong) == ("free", "work") else wrong
    options = {"durable": tmp_path / "runs.db", "executor": executor, "max_workers": 1}
    with pytest.raises(GraflowRuntimeError):
        build(wrong, ways).execute("start", run="it", **options)
    with pytest.raises(GraflowRuntimeError):  # it fails again, and can go on still
        build(wrong, ways).execute("start", run="it", **options)
    assert build("", ways).execute("start", run="it", **options) == [1000, 2000]


def test_a_program_that_lacks_what_an_added_task_was_made_of_is_refused(tmp_path: Path) -> None:
    """It says which."""

    def program(name: str, is_wrong: bool) -> WorkflowContext:
        with workflow("adds") as made:

            @task(inject_context=True)
            def start(ctx: Any) -> None:
                ctx.next_task(work(task_id="one", number=1))

            @task(id=name)
            def work(number: int) -> int:
                if is_wrong:
                    raise ValueError("not yet")
                return number

        return made

    with pytest.raises(GraflowRuntimeError, match="not yet"):
        program("work", True).execute("start", durable=tmp_path / "runs.db", run="it")
    with pytest.raises(JournalMismatchError, match="work"):
        program("other", False).execute("start", durable=tmp_path / "runs.db", run="it")
    assert program("work", False).execute("start", durable=tmp_path / "runs.db", run="it") == 1


@pytest.mark.parametrize("start", ["start", "free"])
def test_a_run_goes_on_from_where_it_began(tmp_path: Path, start: str) -> None:
    """Several tasks have no predecessors, so only the run knows; it may be a task that no workflow has."""
    store = tmp_path / "runs.db"
    values = {"number": 3}
    with pytest.raises(GraflowRuntimeError):
        build("free" if start == "free" else "work", "instance").execute(start, durable=store, initial_channel=values)
    result, context = build("", "instance").resume(store, ret_context=True)
    assert result == (3000 if start == "free" else [1000, 2000])
    assert context.completed_tasks[0] == start
